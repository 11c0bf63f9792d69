import { answer } from './answer.ts';
import type { Control } from './control.ts';
import type { Answer, AskedRequest } from './exchange.ts';
import type { World } from './world.ts';

/** A request without a socket. */
export interface InProcessRequest {
  method: string;
  /** With the query: `/v1/customers?limit=3`. */
  path: string;
  headers?: Readonly<Record<string, string | undefined>>;
  /** A form, as Stripe takes it (`name=Ann&metadata[plan]=pro`), or what a page or the control API takes. */
  body?: string;
}

/** No answer comes, as a fault that was asked for has it. */
export class Unanswered extends Error {
  /** Whether the request was carried out, and only its answer is lost. */
  readonly carriedOut: boolean;

  constructor(carriedOut: boolean) {
    super(carriedOut ? 'The answer was lost on purpose.' : 'The request hangs on purpose.');
    this.name = 'Unanswered';
    this.carriedOut = carriedOut;
  }
}

/**
 * Answers a request without a socket.
 *
 * @throws Unanswered when it was told to hang, or to lose the answer
 */
export async function handle(world: World, control: Control, request: InProcessRequest): Promise<Answer> {
  const headers = Object.fromEntries(
    Object.entries(request.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const asked: AskedRequest = { method: request.method, path: request.path, headers, body: request.body ?? '' };
  const answered = await answer(world, control, asked);
  if (typeof answered === 'string') throw new Unanswered(answered === 'lost');
  return answered;
}

/**
 * `fetch` without a socket, whatever host the address names; for `Stripe.createFetchHttpClient`. What hangs on purpose
 * never resolves unless it is aborted, and a lost answer rejects, as over a network.
 */
export function fetchFrom(world: World, control: Control): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const { pathname, search } = new URL(request.url);
    const headers = Object.fromEntries(request.headers);
    try {
      const { status, ...answered } = await handle(world, control, {
        method: request.method,
        path: pathname + search,
        headers,
        body: await request.text(),
      });
      return new Response(answered.body, { status, headers: answered.headers });
    } catch (error) {
      if (error instanceof Unanswered && !error.carriedOut) return aborted(request.signal);
      throw new TypeError('fetch failed', { cause: error });
    }
  };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason));
  });
}
