import { DemoProblem } from './api.ts';

/** The embedded sandbox, as a program reaches it from outside: what happens in Stripe without the app's doing. */
export interface DemoSandbox {
  /**
   * One request of its control API (JSON) or of Stripe's (a form).
   * @param path - such as `/_sandbox/advance` or `/v1/charges?customer=cus_…`
   * @throws DemoProblem when it refuses
   */
  ask<T>(method: 'GET' | 'POST', path: string, body?: object): Promise<T>;
  /** Waits until every event is delivered, or for two seconds: with faults switched on that may never be. */
  settle(): Promise<void>;
}

const PATIENCE_MS = 15_000;
const SETTLES_WITHIN_MS = 2_000;

export function createDemoSandbox(url: string): DemoSandbox {
  async function ask<T>(method: 'GET' | 'POST', path: string, body: object = {}, patienceMs = PATIENCE_MS): Promise<T> {
    const signal = AbortSignal.timeout(patienceMs);
    const headers = path.startsWith('/v1/')
      ? { authorization: 'Bearer sk_test_demo', 'content-type': 'application/x-www-form-urlencoded' }
      : { 'content-type': 'application/json' };
    const sent = path.startsWith('/v1/') ? new URLSearchParams(Object.entries(body)).toString() : JSON.stringify(body);
    const answer = await fetch(`${url}${path}`, {
      method,
      headers,
      signal,
      ...(method === 'POST' ? { body: sent } : {}),
    });
    const read = (await answer.json()) as T & { error?: { code?: string; message?: string } };
    if (answer.ok) return read;
    throw new DemoProblem(answer.status, read.error?.code ?? 'refused', read.error?.message ?? 'The sandbox refused.');
  }
  return {
    ask,
    settle: async () => {
      await ask('POST', '/_sandbox/settled', {}, SETTLES_WITHIN_MS).catch((error: unknown) => {
        if (!(error instanceof Error && error.name === 'TimeoutError')) throw error;
      });
    },
  };
}
