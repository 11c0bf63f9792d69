/** What goes wrong, and when: the nth chance for a kind of trouble meets the same fate in every run with the same seed. */
import { Random } from '../virtual/random.ts';

export interface Troubles {
  /** An event is never delivered, although Stripe tries. */
  drop: number;
  /** An event is delivered a second time. */
  duplicate: number;
  /** An event is held back for minutes or days. */
  delay: number;
  /** A call to Stripe fails: 500, 429, a broken connection; with or without having been carried out. */
  stripe: number;
  /** A call to Stripe, or its answer, is seconds on its way: what it says may be old when it arrives. */
  slow: number;
  /** Stripe is away for some minutes, from one call on. */
  outage: number;
  /** A connection to the database breaks before or after a commit. */
  database: number;
  /** A process dies before or after a commit. */
  death: number;
  /** A process stops hearing changes for a moment. */
  deaf: number;
  /** An app that is told something refuses it, or says nothing; with or without having taken it. */
  app: number;
}

export type Trouble = keyof Troubles;

export const NO_TROUBLE: Troubles = {
  drop: 0,
  duplicate: 0,
  delay: 0,
  stripe: 0,
  slow: 0,
  outage: 0,
  database: 0,
  death: 0,
  deaf: 0,
  app: 0,
};

/** What a world has of each: deaths cost the most time, and every fourth of them comes right after a commit. */
const AMOUNTS: Readonly<Record<Trouble, readonly number[]>> = {
  drop: [0, 0, 0.05, 0.2, 0.6, 0.95],
  duplicate: about(0.12),
  delay: about(0.12),
  stripe: about(0.04),
  slow: [0, 0.1, 0.4, 0.4],
  outage: about(0.002),
  database: about(0.004),
  death: about(0.0008),
  deaf: about(0.003),
  app: [0, 0.1, 0.3, 0.6],
};

function about(probability: number): number[] {
  return [0, 0.3 * probability, probability, probability, 3 * probability];
}

/** Every world is hostile in its own way: some lose nearly all events, some lose none and fail elsewhere. */
export function troublesOf(seed: string): Troubles {
  const random = new Random(`${seed}/troubles`);
  const troubles = { ...NO_TROUBLE };
  for (const kind of Object.keys(troubles) as Trouble[]) troubles[kind] = random.pick(AMOUNTS[kind]);
  return troubles;
}

export class Chaos {
  /** Off while the story is set up, and while the world comes to rest before the strict checks. */
  enabled = false;
  /** What went wrong, for the story of a failure. */
  readonly happened: { name: string; at: number; what: string }[] = [];
  readonly #seed: string;
  readonly #troubles: Troubles;
  readonly #without: ReadonlySet<string>;
  readonly #counts = new Map<Trouble, number>();

  /** @param without - names of single troubles that do not happen, such as `death:17` */
  constructor(seed: string, troubles: Troubles, without: ReadonlySet<string>) {
    this.#seed = seed;
    this.#troubles = troubles;
    this.#without = without;
  }

  /** @returns chance for the details when it strikes; null when all is well */
  strikes(kind: Trouble): Random | null {
    const probability = this.#troubles[kind];
    if (!this.enabled || probability === 0) return null;
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    const random = new Random(`${this.#seed}/${kind}/${count}`);
    if (!random.chance(probability) || this.#without.has(`${kind}:${count}`)) return null;
    return random;
  }

  /** Remembers what the last strike of a kind did. */
  note(kind: Trouble, at: number, what: string): void {
    this.happened.push({ name: `${kind}:${this.#counts.get(kind) ?? 0}`, at, what });
  }
}
