import { crypto } from './builtins.ts';
import { StripeError } from './errors.ts';

/** What was answered to a request that carried an idempotency key. */
export interface KeptAnswer {
  /** Of the method, the path and the parameters. */
  fingerprint: string;
  requestId: string;
  status: number;
  body: string;
  /** Unix seconds of the time outside. */
  at: number;
}

/** Stripe forgets a key after a day at the earliest. */
const KEPT_SECONDS = 86_400;
const KEPT_ANSWERS = 20_000;

export function fingerprint(method: string, path: string, body: string): string {
  return crypto.createHash('sha256').update(`${method} ${path}\n${body}`).digest('base64');
}

/** The answers that are given again when a request is repeated under its key. */
export class IdempotencyKeys {
  /** Called with every answer that is kept. */
  kept: (key: string, answer: KeptAnswer) => void = () => {};
  readonly #answers = new Map<string, KeptAnswer>();
  readonly #underWay = new Set<string>();
  readonly #seconds: () => number;

  /** @param seconds the time that keys are forgotten by */
  constructor(seconds: () => number) {
    this.#seconds = seconds;
  }

  /**
   * The answer that was given under this key.
   *
   * @throws StripeError `idempotency_error` when the key was first used for something else
   */
  find(key: string, print: string): KeptAnswer | undefined {
    const kept = this.#answers.get(key);
    if (kept === undefined) return undefined;
    if (kept.at < this.#seconds() - KEPT_SECONDS) {
      this.#answers.delete(key);
      return undefined;
    }
    if (kept.fingerprint !== print) {
      throw new StripeError(
        400,
        'idempotency_error',
        `Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '${key}' if you meant to execute a different request.`,
      );
    }
    return kept;
  }

  /**
   * Notes that a request under this key is under way.
   *
   * @returns to be called when it is over
   * @throws StripeError (409) when another one is
   */
  begin(key: string): () => void {
    if (this.#underWay.has(key)) {
      throw new StripeError(
        409,
        'idempotency_error',
        `There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through): ${key}. Please try your request again shortly.`,
        { code: 'idempotency_key_in_use' },
      );
    }
    this.#underWay.add(key);
    return () => this.#underWay.delete(key);
  }

  keep(key: string, answer: Omit<KeptAnswer, 'at'>): void {
    const kept = { ...answer, at: this.#seconds() };
    this.#answers.set(key, kept);
    this.kept(key, kept);
    if (this.#answers.size <= KEPT_ANSWERS) return;
    const [oldest] = this.#answers.keys();
    if (oldest !== undefined) this.#answers.delete(oldest);
  }

  clear(): void {
    this.#answers.clear();
  }

  /** All answers, for the file that they are kept in. */
  dump(): [string, KeptAnswer][] {
    return [...this.#answers];
  }

  /** Takes back what `dump` gave. */
  load(answers: [string, KeptAnswer][]): void {
    this.clear();
    for (const [key, answer] of answers) this.#answers.set(key, answer);
  }
}
