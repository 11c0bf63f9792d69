/** Passes everything on to a sandbox, and can hold an answer back that the sandbox has given already. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Held } from './mirror-stripe.ts';

export interface HoldingStripe extends Disposable {
  /** Without a path. */
  url: string;
  /** Holds back the next answer to a `GET` whose path begins so. `arrived` resolves once the sandbox has given it. */
  holdNext(path: string): Held;
}

export async function startHoldingStripe(sandboxUrl: string): Promise<HoldingStripe> {
  const holds: { path: string; arrived: () => void; released: Promise<void> }[] = [];
  const server = createServer(async (request, response) => {
    const { url: path = '/', headers } = request;
    const answer = await fetch(sandboxUrl + path, { headers: { authorization: headers.authorization ?? '' } });
    const text = await answer.text();
    const index = holds.findIndex((hold) => path.startsWith(hold.path));
    const hold = index < 0 ? undefined : holds.splice(index, 1)[0];
    hold?.arrived();
    await hold?.released;
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    holdNext: (path) => {
      const arrival = Promise.withResolvers<void>();
      const release = Promise.withResolvers<void>();
      holds.push({ path, arrived: arrival.resolve, released: release.promise });
      return { arrived: arrival.promise, release: release.resolve };
    },
    [Symbol.dispose]: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
