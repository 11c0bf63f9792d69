import { StripeError } from './errors.ts';
import { Random } from './ids.ts';

/** What goes wrong, and how often. Probabilities are between 0 and 1. */
export interface Faults {
  /** Probability that an event is never delivered. */
  drop: number;
  /** Probability that an event is delivered twice. */
  duplicate: number;
  /** Probability that an event is held back for a random while, so that later ones overtake it. */
  shuffle: number;
  /** Milliseconds that every delivery waits. */
  delayMs: number;
  /** Probability that an API request fails with a 500 before anything is done. */
  errorRate: number;
  /** Probability that a writing API request is carried out, but its answer is lost and the connection cut. */
  lostResponseRate: number;
  /** Milliseconds that every API answer waits. */
  latencyMs: number;
  /** API requests that are let through in a second; beyond that they get a 429. Null: no limit. */
  rateLimit: number | null;
  /** From this number all of the above is drawn. */
  seed: number;
}

const NO_FAULTS: Faults = {
  drop: 0,
  duplicate: 0,
  shuffle: 0,
  delayMs: 0,
  errorRate: 0,
  lostResponseRate: 0,
  latencyMs: 0,
  rateLimit: null,
  seed: 1,
};

/** Requests that are to fail, picked out by what they ask for. */
export interface RequestFailure {
  /** `GET`, `POST` or `DELETE`; left out: all of them. */
  method?: string;
  /** What the path begins with, such as `/v1/subscriptions`; left out: every path. */
  path?: string;
  /** How many requests fail before things are well again. */
  times: number;
  /**
   * The HTTP status they fail with (such as 500 or 429); `hang` never answers, and `lost` carries the request out and
   * then cuts the connection.
   */
  outcome: number | 'hang' | 'lost';
  /** Seconds, for the `Retry-After` header. */
  retryAfter?: number;
  /** For the `Stripe-Should-Retry` header, by which clients go before anything else; left out: there is none. */
  shouldRetry?: boolean;
}

/** How long a shuffled event is held back at most, in milliseconds. */
const SHUFFLE_WINDOW_MS = 250;

/** What becomes of one delivery. */
export interface DeliveryPlan {
  /** The waits, in milliseconds, after which it is sent; none when it is dropped. */
  waitsMs: number[];
}

/** Decides what goes wrong. The nth event and the nth request meet the same fate in every run with the same seed. */
export class FaultPlan {
  settings: Faults = { ...NO_FAULTS };
  /** Failures that were asked for one by one, oldest first. */
  planned: RequestFailure[] = [];
  readonly #seconds: () => number;
  #requests = 0;
  #window = 0;
  #inWindow = 0;

  /** @param seconds the time that the rate limit goes by */
  constructor(seconds: () => number) {
    this.#seconds = seconds;
  }

  set(change: Partial<Faults>): Faults {
    this.settings = { ...this.settings, ...change };
    this.#requests = 0;
    return this.settings;
  }

  /** Nothing goes wrong any more. */
  reset(): void {
    this.settings = { ...NO_FAULTS };
    this.planned = [];
    this.#requests = 0;
  }

  /** Whether this request is to hang; asking uses one planned hang up. */
  hangs(method: string, path: string): boolean {
    return this.#take(method, path, (outcome) => outcome === 'hang') !== undefined;
  }

  #take(
    method: string,
    path: string,
    wanted: (outcome: RequestFailure['outcome']) => boolean,
  ): RequestFailure | undefined {
    const failure = this.planned.find(
      (plan) =>
        wanted(plan.outcome) &&
        (plan.method === undefined || plan.method === method) &&
        (plan.path === undefined || path.startsWith(plan.path)),
    );
    if (failure === undefined) return undefined;
    failure.times -= 1;
    if (failure.times <= 0) this.planned.splice(this.planned.indexOf(failure), 1);
    return failure;
  }

  /** @param ordinal how many events there were before this one, so that the order of deliveries does not matter */
  delivery(ordinal: number): DeliveryPlan {
    const { drop, duplicate, shuffle, delayMs, seed } = this.settings;
    const random = new Random(seed * 1_000_003 + ordinal);
    if (random.chance(drop)) return { waitsMs: [] };
    const wait = () => delayMs + (random.chance(shuffle) ? random.next() * SHUFFLE_WINDOW_MS : 0);
    const waitsMs = [wait()];
    if (random.chance(duplicate)) waitsMs.push(wait());
    return { waitsMs };
  }

  /**
   * @returns whether the answer to this request is to be lost
   * @throws StripeError (429 or 500) when this request is to fail
   */
  request(method: string, path: string): { lost: boolean } {
    const { errorRate, lostResponseRate, rateLimit, seed } = this.settings;
    const failure = this.#take(method, path, (outcome) => outcome !== 'hang');
    if (failure !== undefined && typeof failure.outcome === 'number') throw failed(failure.outcome, failure);
    if (failure !== undefined) return { lost: true };
    if (rateLimit !== null) this.#limit(rateLimit);
    this.#requests += 1;
    const random = new Random(seed * 7_368_787 + this.#requests);
    if (random.chance(errorRate)) {
      throw new StripeError(500, 'api_error', 'The sandbox was told to fail this request. Try again.');
    }
    return { lost: random.chance(lostResponseRate) };
  }

  #limit(perSecond: number): void {
    const second = this.#seconds();
    if (second !== this.#window) {
      this.#window = second;
      this.#inWindow = 0;
    }
    this.#inWindow += 1;
    if (this.#inWindow > perSecond) {
      const message = `Request rate limit exceeded: the sandbox was told to let ${perSecond} a second through.`;
      throw new StripeError(429, 'invalid_request_error', message, { code: 'rate_limit' }, { 'Retry-After': '1' });
    }
  }
}

function failed(status: number, { retryAfter, shouldRetry }: RequestFailure): StripeError {
  const headers = {
    ...(retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) }),
    ...(shouldRetry === undefined ? {} : { 'Stripe-Should-Retry': String(shouldRetry) }),
  };
  const message = `The sandbox was told to fail this request with ${status}.`;
  if (status === 429) return new StripeError(429, 'invalid_request_error', message, { code: 'rate_limit' }, headers);
  return new StripeError(status, status >= 500 ? 'api_error' : 'invalid_request_error', message, {}, headers);
}
