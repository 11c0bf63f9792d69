import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A Stripe that knows nothing but whose its keys are. */
export interface KeyServer {
  url: string;
  /** Key → `acct_…`, or the status that it is refused with. Any other key is not taken. */
  accounts: Map<string, string | number>;
  close(): Promise<void>;
}

export async function startKeyServer(accounts: Record<string, string | number>): Promise<KeyServer> {
  const known = new Map(Object.entries(accounts));
  const server = createServer((request, response) => {
    const account = known.get((request.headers.authorization ?? '').replace('Bearer ', '')) ?? 401;
    const status = typeof account === 'number' ? account : 200;
    const error = { type: 'invalid_request_error', message: 'Refused' };
    const body = typeof account === 'string' ? { id: account, object: 'account' } : { error };
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
