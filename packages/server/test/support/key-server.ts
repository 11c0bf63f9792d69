import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** `acct_…`, the status that the key is refused with, or what is answered in place of an account. */
type KeyAnswer = string | number | { body: unknown };

/** A Stripe that knows nothing but whose its keys are. */
export interface KeyServer {
  url: string;
  /** By key. Any other is not taken. */
  accounts: Map<string, KeyAnswer>;
  close(): Promise<void>;
}

export async function startKeyServer(accounts: Record<string, KeyAnswer>): Promise<KeyServer> {
  const known = new Map(Object.entries(accounts));
  const server = createServer((request, response) => {
    const account = known.get((request.headers.authorization ?? '').replace('Bearer ', '')) ?? 401;
    const status = typeof account === 'number' ? account : 200;
    const error = { type: 'invalid_request_error', message: 'Refused' };
    const body =
      typeof account === 'string'
        ? { id: account, object: 'account' }
        : typeof account === 'number'
          ? { error }
          : account.body;
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    accounts: known,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
