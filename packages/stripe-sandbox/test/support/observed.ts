import Stripe from 'stripe';
import { onTestFinished } from 'vitest';
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/index.ts';
import { clientOf } from './sandbox.ts';
import { shapeProblems } from './shape-check.ts';

/** A sandbox whose every answer to the official client is checked against the client's own types. */
export interface Observed {
  stripe: Stripe;
  sandbox: Sandbox;
  control: Sandbox['control'];
  /** Where answers were not as the client's types say, one line each: the request, the path, the problem. */
  problems: Set<string>;
  /** The requests that were answered well, as `METHOD /path`. */
  requests: Set<string>;
}

/** A problem without ids and indices, so that the same one is told once. */
function plain(problem: string): string {
  return problem.replace(/\/[a-z]+(_[a-z]+)*_\w{10,}/g, '/:id').replace(/\[\d+\]/g, '[]');
}

/** Starts a sandbox with a client that looks at the raw JSON of every answer that is not an error. */
export async function observed(options: SandboxOptions = {}): Promise<Observed> {
  const sandbox = await startSandbox({ seed: 7, ...options });
  onTestFinished(() => sandbox.close());
  const problems = new Set<string>();
  const requests = new Set<string>();
  const look = async (input: Parameters<typeof fetch>[0], init?: RequestInit): Promise<Response> => {
    const response = await fetch(input, init);
    if (!response.ok) return response;
    const body = await response.text();
    const url = new URL(String(input));
    const request = `${init?.method ?? 'GET'} ${url.pathname}`;
    requests.add(request);
    for (const problem of shapeProblems(JSON.parse(body))) problems.add(plain(`${request}: ${problem}`));
    return new Response(body, response);
  };
  const stripe = clientOf(sandbox, { httpClient: Stripe.createFetchHttpClient(look as typeof fetch) });
  return { stripe, sandbox, control: sandbox.control, problems, requests };
}
