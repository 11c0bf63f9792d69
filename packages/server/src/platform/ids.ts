import { createHash, randomBytes } from 'node:crypto';

export type IdPrefix =
  | 'prj'
  | 'key'
  | 'cust'
  | 'grant'
  | 'run'
  | 'drift'
  | 'aud'
  | 'rec'
  | 'req'
  | 'park'
  | 'imp'
  | 'whe'
  | 'ntc'
  | 'whs';

/** Crockford's base 32 in lower case: no i, l, o or u, so that ids survive being read aloud. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const TIME_LENGTH = 10;
const RANDOM_LENGTH = 16;

let lastTime = 0;
let lastRandom = new Uint8Array(RANDOM_LENGTH);

/**
 * `prj_01k…`: a prefix, 48 bits of time and 80 random bits. Ids sort by when they were made; those that one process
 * makes are strictly increasing, even within a millisecond or when the clock steps back.
 */
export function newId(prefix: IdPrefix): string {
  const now = Date.now();
  if (now > lastTime) {
    lastTime = now;
    lastRandom = randomBytes(RANDOM_LENGTH).map((byte) => byte & 31);
  } else {
    increment();
  }
  return `${prefix}_${encodeTime(lastTime)}${Array.from(lastRandom, (digit) => ALPHABET[digit]).join('')}`;
}

/**
 * The ending of an id that a request and its repeats make alike, in place of the random part: by it a repeat finds what
 * the first try made when nobody heard that it was committed.
 * @param repeatKey - as `repeatKey` gives it
 */
export function repeatableEnding(repeatKey: string): string {
  const bytes = createHash('sha256').update(repeatKey).digest().subarray(0, RANDOM_LENGTH);
  return Array.from(bytes, (byte) => ALPHABET[byte & 31]).join('');
}

/** An id that sorts by when it was made, with an ending of `repeatableEnding`. @param now - epoch milliseconds */
export function idWithEnding(prefix: IdPrefix, now: number, ending: string): string {
  return `${prefix}_${encodeTime(now)}${ending}`;
}

/** Adds one to the random part; the carry out of 80 bits moves the time on. */
function increment(): void {
  for (let i = RANDOM_LENGTH - 1; i >= 0; i--) {
    const digit = lastRandom[i] ?? 0;
    if (digit < 31) {
      lastRandom[i] = digit + 1;
      return;
    }
    lastRandom[i] = 0;
  }
  lastTime += 1;
}

function encodeTime(time: number): string {
  let rest = time;
  let text = '';
  for (let i = 0; i < TIME_LENGTH; i++) {
    text = (ALPHABET[rest % 32] ?? '') + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}
