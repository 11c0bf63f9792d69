import { crypto } from './builtins.ts';

const LETTERS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

const LETTERS_IN_WORD = 5;

/** The four words of xoshiro128**, which are all there is to save. */
export type RandomState = [number, number, number, number];

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}

/** A seeded source of numbers: the same seed gives the same run. Not for secrets. */
export class Random {
  state: RandomState;

  constructor(seed: number = crypto.randomInt(2 ** 32)) {
    // splitmix32 spreads neighbouring seeds far apart.
    let word = seed >>> 0;
    const next = (): number => {
      word = (word + 0x9e3779b9) >>> 0;
      let mixed = word ^ (word >>> 16);
      mixed = Math.imul(mixed, 0x21f0aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
      return (mixed ^ (mixed >>> 15)) >>> 0;
    };
    this.state = [next(), next(), next(), next()];
  }

  /** A whole number in [0, 2³²). */
  word(): number {
    const state = this.state;
    const [a, b, c, d] = state;
    const shifted = b << 9;
    const third = c ^ a;
    const fourth = d ^ b;
    state[0] = a ^ fourth;
    state[1] = b ^ third;
    state[2] = third ^ shifted;
    state[3] = rotate(fourth, 11);
    return Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
  }

  /** A number in [0, 1). */
  next(): number {
    return this.word() / 2 ** 32;
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** Letters and digits. */
  token(length: number): string {
    const codes = new Array<number>(length);
    let word = 0;
    for (let index = 0; index < length; index += 1) {
      // One word is enough for five letters.
      if (index % LETTERS_IN_WORD === 0) word = this.word();
      codes[index] = LETTERS.charCodeAt(word % LETTERS.length);
      word = Math.floor(word / LETTERS.length);
    }
    return String.fromCharCode(...codes);
  }
}

/** How many characters follow each prefix; what is not named here takes 24. */
const LENGTHS: Record<string, number> = { cs_test_: 58, cus_: 14, prod_: 14, si_: 14, whsec_: 32 };

/** Makes Stripe-like ids, such as `cus_QXg1o8vcGmoR32`. */
export class Ids {
  readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  /** A new id with a prefix that ends in an underscore. */
  make(prefix: string): string {
    const length = LENGTHS[prefix] ?? 24;
    const lead = prefix === 'cs_test_' ? 'a1' : length === 24 ? '1' : '';
    return prefix + lead + this.random.token(length - lead.length);
  }
}
