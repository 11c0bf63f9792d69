import { request as http } from 'node:http';
import { request as https } from 'node:https';
import { endpointProblem, guardedLookup } from './target.ts';

export interface Outgoing {
  url: string;
  headers: Readonly<Record<string, string>>;
  body: string;
  signal: AbortSignal;
  /** Of this machine, where nothing is sent. Default none. */
  ownPorts?: readonly number[] | undefined;
}

/** What came of sending: the answer's status, or why there was none. */
export type Outcome = { status: number } | { error: string };

export type Send = (outgoing: Outgoing) => Promise<Outcome>;

/** Long enough for an app that thinks, short enough that one that hangs holds nobody up. */
const TIMEOUT_MS = 10_000;

/** Sends one notice. Redirects are not followed, and of the answer nothing but its status is read. */
export const sendOverHttp: Send = ({ url, headers, body, signal, ownPorts }) =>
  new Promise((resolve) => {
    const problem = endpointProblem(url, ownPorts);
    if (problem !== null) {
      resolve({ error: `The URL ${problem}.` });
      return;
    }
    const target = new URL(url);
    const request = (target.protocol === 'https:' ? https : http)(target, {
      method: 'POST',
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      lookup: guardedLookup(target, ownPorts),
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    request.on('response', (response) => {
      resolve({ status: response.statusCode ?? 0 });
      response.destroy();
    });
    request.on('error', (error) => resolve({ error: wordsOf(error) }));
    // An offer to speak another protocol (101) is neither an answer nor an error.
    request.on('close', () => resolve({ error: 'The connection was closed without an answer.' }));
    request.end(body);
  });

function wordsOf(error: Error): string {
  if (error.name === 'AbortError' || error.name === 'TimeoutError') {
    return `There was no answer within ${TIMEOUT_MS / 1000} seconds.`;
  }
  return error.message.slice(0, 500);
}
