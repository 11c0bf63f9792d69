/** A Stripe that answers everything with one error; or with what a sandbox answers, once it is put right. */
import { createServer } from 'node:http';

export interface RefusingStripe extends Disposable {
  /** Without a path. */
  url: string;
  /** The HTTP status of every answer; 200: what the sandbox answers. */
  state: { status: number };
}

/** @param sandboxUrl - whose answers it passes on once it is put right */
export async function startRefusingStripe(status: number, sandboxUrl: string): Promise<RefusingStripe> {
  const state = { status };
  const server = createServer(async (request, response) => {
    const { authorization = '' } = request.headers;
    const answer =
      state.status === 200 ? await fetch(sandboxUrl + request.url, { headers: { authorization } }) : undefined;
    const refusal = { error: { type: 'invalid_request_error', message: 'Not now.' } };
    response.writeHead(state.status, { 'content-type': 'application/json' });
    response.end(answer === undefined ? JSON.stringify(refusal) : await answer.text());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  return { url, state, [Symbol.dispose]: () => void server.close() };
}
