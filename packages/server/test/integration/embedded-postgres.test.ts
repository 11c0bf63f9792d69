import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/embedded-postgres.ts';
import { createLog } from '../../src/platform/log.ts';
import { until } from '../support/until.ts';

const log = createLog('silent');
const asRoot = process.getuid?.() === 0;

let dataDir: string;
let servers: EmbeddedPostgres[];

beforeEach(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'tollgate-pg-'));
  servers = [];
});

afterEach(async () => {
  for (const server of servers) {
    await server.stop();
  }
  await rm(dataDir, { recursive: true, force: true });
});

async function start(directory = dataDir): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir: directory, log });
  servers.push(server);
  return server;
}

async function ask<T extends object>(server: EmbeddedPostgres, text: string): Promise<T[]> {
  const client = new pg.Client(server.connection);
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<T>(text)).rows;
  } finally {
    await client.end();
  }
}

/** The process id of the postmaster, or null when none runs. */
async function postmaster(server: EmbeddedPostgres): Promise<number | null> {
  const text = await readFile(path.join(server.directory, 'postmaster.pid'), 'utf8').catch(() => null);
  return text === null ? null : Number(text.split('\n')[0]);
}

describe('the embedded PostgreSQL', () => {
  test('keeps what was written, with fsync on and no port open', async () => {
    const first = await start();
    await ask(first, 'create table notes (text text)');
    await ask(first, "insert into notes values ('größer')");
    await first.stop();
    expect(await postmaster(first)).toBeNull();

    const second = await start();
    expect(await ask(second, 'select text from notes')).toEqual([{ text: 'größer' }]);
    expect(
      await ask(second, "select name, setting from pg_settings where name in ('fsync', 'listen_addresses') order by 1"),
    ).toEqual([
      { name: 'fsync', setting: 'on' },
      { name: 'listen_addresses', setting: '' },
    ]);
  });

  test('lets nobody else near its data and its socket', async () => {
    const server = await start();
    const closed = await Promise.all(
      [path.dirname(server.directory), server.directory, server.connection.host].map(async (directory) => {
        const { mode } = await stat(directory);
        return mode & 0o077;
      }),
    );
    expect(closed).toEqual([0, 0, 0]);
  });

  test('started by several at once, on nothing, is one server that the last to leave stops', async () => {
    const [one, two, three] = await Promise.all([start(), start(), start()]);
    const ids = await Promise.all([one, two, three].map(postmaster));
    expect(new Set(ids).size).toBe(1);
    await one.stop();
    await two.stop();
    expect(await ask(three, 'select 1 as one')).toEqual([{ one: 1 }]);
    await three.stop();
    expect(await postmaster(three)).toBeNull();
  });

  test('stops although a connection of who leaves is only just ending', async () => {
    const server = await start();
    const client = new pg.Client(server.connection);
    await client.connect();
    const stopping = server.stop();
    await client.query('select pg_sleep(0.2)');
    await client.end();
    await stopping;
    expect(await postmaster(server)).toBeNull();
  });

  test('is left to whoever else has a connection', async () => {
    const server = await start();
    const client = new pg.Client(server.connection);
    await client.connect();
    await server.stop();
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await client.end();
    await (await start()).stop();
    expect(await postmaster(server)).toBeNull();
  });

  test('is found again after the process that started it was killed', async () => {
    const program = `
      import { startEmbeddedPostgres } from ${JSON.stringify(path.resolve(import.meta.dirname, '../../src/platform/embedded-postgres.ts'))};
      import { createLog } from ${JSON.stringify(path.resolve(import.meta.dirname, '../../src/platform/log.ts'))};
      await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, log: createLog('silent') });
      process.stdout.write('started');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');

    const before = Number((await readFile(path.join(dataDir, 'postgres/data/postmaster.pid'), 'utf8')).split('\n')[0]);
    const server = await start();
    expect(await postmaster(server)).toBe(before);
    await server.stop();
    expect(await postmaster(server)).toBeNull();
  });

  test('comes back by itself after it was killed, with every committed row', async () => {
    const server = await start();
    await ask(server, 'create table notes (text text)');
    await ask(server, "insert into notes values ('kept')");
    const before = await postmaster(server);
    process.kill(before ?? 0, 'SIGKILL');
    await until(
      () =>
        ask(server, 'select text from notes').then(
          (rows) => rows.length === 1,
          () => false,
        ),
      20_000,
    );
    expect(await postmaster(server)).not.toBe(before);
  });

  test('uses a short socket path where the data directory is deep', async () => {
    const deep = path.join(dataDir, 'a-directory-with-a-rather-long-name'.repeat(2), 'and-another-one'.repeat(3));
    const server = await start(deep);
    expect(Buffer.byteLength(path.join(server.connection.host, '.s.PGSQL.5432'))).toBeLessThan(104);
    expect(await ask(server, 'select 1 as one')).toEqual([{ one: 1 }]);
    await server.stop();
    await rm(server.connection.host, { recursive: true, force: true });
  });

  test('says which version made a data directory that it cannot read', async () => {
    const server = await start();
    await server.stop();
    await writeFile(path.join(server.directory, 'PG_VERSION'), '12\n');
    await expect(start()).rejects.toThrow(/made by PostgreSQL 12.*dump its database/);
    await writeFile(path.join(server.directory, 'PG_VERSION'), '18\n');
  });

  test('shows the end of the log when the server does not start', async () => {
    const server = await start();
    await server.stop();
    await writeFile(path.join(server.directory, 'postgresql.conf'), 'no_such_setting = 1\n');
    await expect(start()).rejects.toThrow(/did not start.*no_such_setting/s);
  });
});

describe.runIf(asRoot)('as root', () => {
  test('runs as a user without rights', async () => {
    const server = await start();
    const status = await readFile(`/proc/${await postmaster(server)}/status`, 'utf8');
    expect(Number(/^Uid:\s+(\d+)/m.exec(status)?.[1])).not.toBe(0);
  });

  test('keeps the database where its user may go when it cannot enter the data directory', async () => {
    const closed = path.join(dataDir, `closed-${randomBytes(4).toString('hex')}`);
    await mkdir(closed, { mode: 0o700 });
    const inside = path.join(closed, 'data');
    const server = await start(inside);
    expect(server.directory).toMatch(/^\/var\/lib\/tollgate\/data-/);
    expect((await readFile(path.join(inside, 'DATABASE_IS_ELSEWHERE'), 'utf8')).trim()).toBe(
      path.dirname(server.directory),
    );
    expect(await ask(server, 'select 1 as one')).toEqual([{ one: 1 }]);
    await server.stop();
    await rm(path.dirname(server.directory), { recursive: true, force: true });
  });
});
