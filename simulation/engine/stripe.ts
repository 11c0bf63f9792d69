/** Stripe as the service reaches it: the sandbox in this process, each call a step of the scheduler's. */
import { answerApi } from '../../packages/stripe-sandbox/src/api.ts';
import type { World } from '../../packages/stripe-sandbox/src/world.ts';
import { Random } from '../virtual/random.ts';
import { sleep, virtualTime } from '../virtual/time.ts';
import type { Chaos } from './chaos.ts';
import type { Scheduler } from './scheduler.ts';

export const STRIPE_KEY = 'sk_test_of_the_simulation';
/** A call takes between one and so many milliseconds. */
const LONGEST_CALL_MS = 400;
const SLOWEST_WAY_MS = 20_000;
const LONGEST_OUTAGE_MS = 20 * 60_000;

interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** What the SDK takes as its `httpClient`. */
export function createTransport(world: World, scheduler: Scheduler, chaos: Chaos, seed: string) {
  const latency = new Random(`${seed}/latency`);
  let awayUntil = 0;

  function answer(method: string, path: string, headers: Record<string, unknown>, body: string): Answer {
    const now = virtualTime.now();
    virtualTime.moveTo(now + 1 + latency.below(LONGEST_CALL_MS));
    const outage = chaos.strikes('outage');
    if (outage !== null && now >= awayUntil) {
      awayUntil = now + 60_000 + outage.below(LONGEST_OUTAGE_MS);
      chaos.note('outage', now, `Stripe is away until ${new Date(awayUntil).toISOString()}`);
    }
    if (chaos.enabled && now < awayUntil) throw broken();
    const trouble = chaos.strikes('stripe');
    if (trouble === null) return carryOut(method, path, headers, body);
    const kind = trouble.weighted({ error: 3, limit: 2, broken: 2, lost: 3, timeout: 1 });
    chaos.note('stripe', now, `${method} ${path.slice(0, 60)} meets: ${kind}`);
    switch (kind) {
      case 'error':
        return failed(500, 'api_error', {});
      case 'limit':
        return failed(429, 'invalid_request_error', { 'retry-after': String(1 + trouble.below(20)) });
      case 'broken':
        throw broken();
      case 'lost':
        carryOut(method, path, headers, body);
        throw broken();
      case 'timeout':
        virtualTime.moveTo(virtualTime.now() + 15_000);
        if (trouble.chance(0.5)) carryOut(method, path, headers, body);
        throw Object.assign(new Error('ETIMEDOUT'), { code: 'ETIMEDOUT' });
      default:
        return kind satisfies never;
    }
  }

  function carryOut(method: string, path: string, headers: Record<string, unknown>, body: string): Answer {
    const lower = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]),
    );
    return answerApi(world, { method, path, headers: lower, body });
  }

  /** A question that is long on its way there is answered by what is so then; an answer that is, by what was. */
  function slowWays(call: string): { thereMs: number; backMs: number } | null {
    const slow = chaos.strikes('slow');
    if (slow === null) return null;
    const waitMs = slow.below(SLOWEST_WAY_MS);
    const isThere = slow.chance(0.3);
    chaos.note('slow', virtualTime.now(), `${isThere ? '' : 'the answer to '}${call} is ${waitMs} ms on its way`);
    return isThere ? { thereMs: waitMs, backMs: 0 } : { thereMs: 0, backMs: waitMs };
  }

  return {
    getClientName: () => 'simulation',
    makeRequest: async (
      _host: string,
      _port: string,
      path: string,
      method: string,
      headers: Record<string, unknown>,
      body: string | null,
    ) => {
      const ways = scheduler.exclusive ? null : slowWays(`${method} ${path.slice(0, 60)}`);
      if (ways !== null) await sleep(ways.thereMs);
      // A process that comes up asks whose account it is, and everything else waits for it.
      const given = scheduler.exclusive
        ? carryOut(method, path, headers, body ?? '')
        : await scheduler.step(`stripe ${method} ${path.slice(0, 80)}`, () =>
            answer(method, path, headers, body ?? ''),
          );
      if (ways !== null) await sleep(ways.backMs);
      return {
        getStatusCode: () => given.status,
        getHeaders: () =>
          Object.fromEntries(Object.entries(given.headers).map(([name, value]) => [name.toLowerCase(), value])),
        getRawResponse: () => given,
        toStream: () => {
          throw new Error('Nothing is streamed.');
        },
        toJSON: async () => JSON.parse(given.body),
      };
    },
  };
}

function broken(): Error {
  return Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
}

function failed(status: number, type: string, headers: Record<string, string>): Answer {
  const message = `The simulation fails this call with ${status}.`;
  return { status, headers, body: JSON.stringify({ error: { type, message } }) };
}
