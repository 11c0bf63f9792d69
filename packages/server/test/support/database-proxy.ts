import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import path from 'node:path';
import pg from 'pg';

export interface DatabaseProxy {
  /** The database's URL, through the proxy. */
  url: string;
  /** Breaks every connection, and refuses new ones. */
  cut(): void;
  /** Lets nothing through, and breaks nothing: what a firewall does. */
  hang(): void;
  restore(): void;
  close(): Promise<void>;
}

/** Stands between a service and its database, for tests of outages. */
export async function startDatabaseProxy(databaseUrl: string): Promise<DatabaseProxy> {
  const target = new pg.Client({ connectionString: databaseUrl });
  let mode: 'open' | 'cut' | 'hung' = 'open';
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    if (mode === 'cut') {
      client.destroy();
      return;
    }
    const upstream = target.host.startsWith('/')
      ? connect(path.join(target.host, `.s.PGSQL.${target.port}`))
      : connect(target.port, target.host);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      from.on('data', (bytes) => {
        if (mode !== 'hung') to.write(bytes);
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The proxy does not listen on a port.');
  const breakAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `postgresql://${target.user}@127.0.0.1:${address.port}/${target.database}`,
    cut: () => {
      mode = 'cut';
      breakAll();
    },
    hang: () => {
      mode = 'hung';
    },
    restore: () => {
      if (mode === 'hung') breakAll();
      mode = 'open';
    },
    close: async () => {
      breakAll();
      server.close();
      await once(server, 'close');
    },
  };
}
