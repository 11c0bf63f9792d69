import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, chown, lchown, mkdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Log } from './log.ts';
import { type Binaries, findBinaries, readableBinaries } from './postgres-binaries.ts';
import { canEnter, type Owner, ownerFor, SHARED_HOME } from './postgres-owner.ts';

const USER = 'tollgate';
const DATABASE = 'tollgate';
/** Marks a server that Tollgate started, so that one started by hand is never stopped. */
const CLUSTER_NAME = 'tollgate';
/** What the connection is called by which a process says that it uses the server. */
const SUPERVISOR = 'tollgate supervisor';
/** Connections that were closed have ended by then, on a busy machine too. */
const ENDING_MS = 2_000;
/** `sun_path` holds 104 bytes on macOS and 108 on Linux, with the closing zero and PostgreSQL's `.lock` beside it. */
const SOCKET_PATH_BYTES = 98;
const START_RETRY_MS = 5_000;

export interface EmbeddedPostgres {
  connection: { host: string; user: string; database: string };
  /** Where the rows are, for people. */
  directory: string;
  /** Lets go of the server, and stops it unless another process still uses it. */
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  dataDir: string;
  log: Log;
  /** More lines of postgresql.conf. Tests turn `fsync` off; nothing else should. */
  settings?: Record<string, string>;
}

export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError';
}

interface Cluster {
  binaries: Binaries;
  owner: Owner;
  /** `home/data` is the cluster, `home/postgres.log` its log. */
  home: string;
  data: string;
  socketDir: string;
  settings: Record<string, string>;
  log: Log;
}

/**
 * Starts a real PostgreSQL server on a data directory, creating it the first time, or joins the one that already runs
 * there. The server is a process of its own: it outlives a killed Tollgate, and the next start finds it again. It
 * listens on a unix socket only, in a directory that nobody but its owner can enter.
 *
 * @throws EmbeddedPostgresError that says what stands in the way.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const cluster = await prepare(options);
  await ensureRunning(cluster);
  await createDatabase(cluster);
  const supervisor = await supervise(cluster);
  return {
    connection: { host: cluster.socketDir, user: USER, database: DATABASE },
    directory: cluster.data,
    stop: async () => {
      const stopServer = await supervisor.letGo();
      if (stopServer) {
        await command(cluster, cluster.binaries.pgCtl, ['stop', '-D', cluster.data, '-m', 'fast', '-w', '-t', '60']);
      }
    },
  };
}

async function prepare({ dataDir, log, settings = {} }: EmbeddedPostgresOptions): Promise<Cluster> {
  const owner = await ownerFor();
  const binaries = await readableBinaries(await findBinaries(), owner, log);
  const home = await chooseHome(dataDir, owner, log);
  const data = path.join(home, 'data');
  const version = await readFile(path.join(data, 'PG_VERSION'), 'utf8').catch(() => null);
  if (version && version.trim() !== binaries.major) {
    throw new EmbeddedPostgresError(
      `${data} was made by PostgreSQL ${version.trim()}, and this version of Tollgate brings PostgreSQL ` +
        `${binaries.major}. Run the version of Tollgate that made it, dump its database, and load it into a new data ` +
        'directory.',
    );
  }
  return { binaries, owner, home, data, socketDir: await chooseSocketDir(home, owner), settings, log };
}

/** The cluster's directory below `dataDir`; or, when PostgreSQL's user cannot get there, below /var/lib/tollgate. */
async function chooseHome(dataDir: string, owner: Owner, log: Log): Promise<string> {
  await mkdir(dataDir, { recursive: true, mode: owner.switched ? 0o711 : 0o700 });
  const absolute = await realpath(dataDir);
  await letPass(absolute, owner);
  if (await canEnter(absolute, owner)) {
    return claim(path.join(absolute, 'postgres'), owner);
  }
  // Only root gets here: PostgreSQL refuses to run as root, and the user it runs as may not pass, say, /root.
  const elsewhere = path.join(SHARED_HOME, `data-${hash(absolute)}`);
  await mkdir(SHARED_HOME, { recursive: true, mode: 0o755 }).catch(() => {});
  if (!(await canEnter(SHARED_HOME, owner))) {
    throw new EmbeddedPostgresError(
      `PostgreSQL cannot run as root, and the user "${owner.name}" that it runs as can enter neither ${absolute} nor ` +
        `${SHARED_HOME}. Set TOLLGATE_DATA_DIR to a directory whose parents everyone may enter (mode 0755).`,
    );
  }
  log.info(
    { dataDir: absolute, postgres: elsewhere },
    `The user "${owner.name}" that PostgreSQL runs as cannot enter ${absolute}; the database is kept in ${elsewhere}`,
  );
  await writeFile(path.join(absolute, 'DATABASE_IS_ELSEWHERE'), `${elsewhere}\n`);
  return claim(elsewhere, owner);
}

/** Our own data directory may be passed through, not listed; its parents are not ours to open. */
async function letPass(directory: string, owner: Owner): Promise<void> {
  const { mode, uid } = await stat(directory);
  if (owner.switched && uid === process.getuid?.() && (await canEnter(path.dirname(directory), owner))) {
    await chmod(directory, (mode & 0o777) | 0o011);
  }
}

/** Makes a directory that belongs to PostgreSQL's user alone. */
async function claim(directory: string, owner: Owner): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const { uid } = await stat(directory);
  if (owner.switched) {
    await chown(directory, owner.uid, owner.gid);
  } else if (uid !== owner.uid) {
    throw new EmbeddedPostgresError(
      `${directory} belongs to another user (uid ${uid}). Start Tollgate as that user, or give it another ` +
        'TOLLGATE_DATA_DIR.',
    );
  }
  await chmod(directory, 0o700);
  return directory;
}

/** Beside the data where the path is short enough for a socket; else in a private directory named after it. */
async function chooseSocketDir(home: string, owner: Owner): Promise<string> {
  const beside = path.join(home, 'socket');
  if (Buffer.byteLength(path.join(beside, '.s.PGSQL.5432')) <= SOCKET_PATH_BYTES) {
    return claim(beside, owner);
  }
  const short = path.join('/tmp', `tollgate-${hash(home)}`);
  const existing = await stat(short).catch(() => null);
  if (existing && existing.uid !== owner.uid && existing.uid !== 0) {
    throw new EmbeddedPostgresError(
      `${short}, where PostgreSQL's socket would go, belongs to another user. Remove it, or set TOLLGATE_DATA_DIR to ` +
        'a shorter path.',
    );
  }
  return claim(short, owner);
}

/** Creates the cluster if there is none and starts its server if it does not run. Several processes may do so. */
async function ensureRunning(cluster: Cluster): Promise<void> {
  if (!(await exists(path.join(cluster.data, 'PG_VERSION')))) {
    await createCluster(cluster);
  }
  if (await accepts(cluster)) {
    return;
  }
  await writeConfiguration(cluster);
  const logFile = path.join(cluster.home, 'postgres.log');
  const deadline = Date.now() + START_RETRY_MS;
  for (;;) {
    // PostgreSQL's own lock file decides between several starters; who loses finds the winner's server. After a crash
    // it refuses until the last process of the dead server is gone.
    const started = await command(
      cluster,
      cluster.binaries.pgCtl,
      ['start', '-D', cluster.data, '-l', logFile, '-w', '-t', '120', '-s'],
      { mayFail: true },
    );
    if (await accepts(cluster)) {
      return;
    }
    if (Date.now() > deadline) {
      const tail = (await readFile(logFile, 'utf8').catch(() => '')).trim().split('\n').slice(-8).join('\n');
      throw new EmbeddedPostgresError(
        `PostgreSQL did not start on ${cluster.data}. Its log (${logFile}) ends with:\n${tail || started.output}`,
      );
    }
    await sleep(200);
  }
}

/** Makes the cluster under another name and moves it into place at once: of several, the first stays. */
async function createCluster(cluster: Cluster): Promise<void> {
  const draft = `${cluster.data}.${randomBytes(6).toString('hex')}.new`;
  await command(cluster, cluster.binaries.initdb, [
    ...['-D', draft, '-U', USER, '-A', 'trust', '-E', 'UTF8', '--no-instructions'],
    // Byte order: the same on every machine, and the fastest.
    ...['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'],
    ...(cluster.settings.fsync === 'off' ? ['--no-sync'] : []),
  ]);
  const file = path.join(draft, 'postgresql.conf');
  await writeFile(file, `${await readFile(file, 'utf8')}\ninclude 'tollgate.conf'\n`);
  try {
    await rename(draft, cluster.data);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (!(await exists(path.join(cluster.data, 'PG_VERSION')))) {
      throw error;
    }
  }
}

async function writeConfiguration(cluster: Cluster): Promise<void> {
  const settings: Record<string, string> = {
    listen_addresses: '',
    unix_socket_directories: cluster.socketDir,
    unix_socket_permissions: '0700',
    cluster_name: CLUSTER_NAME,
    max_connections: '200',
    fsync: 'on',
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_min_messages: 'warning',
    // Short statements by the thousand: what a refused one was would only repeat what Tollgate logs.
    log_min_error_statement: 'panic',
    ...cluster.settings,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`);
  const file = path.join(cluster.data, 'tollgate.conf');
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  // As root we write where PostgreSQL's user may: never through a link that it might have left there.
  await writeFile(draft, ['# Written by Tollgate at every start.\n', ...lines].join(''), { mode: 0o600, flag: 'wx' });
  if (cluster.owner.switched) {
    await lchown(draft, cluster.owner.uid, cluster.owner.gid);
  }
  await rename(draft, file);
}

async function createDatabase(cluster: Cluster): Promise<void> {
  const client = newClient(cluster, 'postgres');
  await client.connect();
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [DATABASE]);
    if (rowCount === 0) {
      await client.query(`create database ${DATABASE}`).catch((error: { code?: string }) => {
        // Another process created it at the same moment.
        if (error.code !== '42P04' && error.code !== '23505') {
          throw error;
        }
      });
    }
  } finally {
    await client.end();
  }
}

/**
 * Holds one connection for as long as this process uses the server: its end is how we learn that the server died (it is
 * started again), and how others see that we still need it.
 */
async function supervise(cluster: Cluster): Promise<{ letGo(): Promise<boolean> }> {
  let leaving = false;
  let client = await hold();
  let restarting: Promise<void> | undefined;

  async function hold(): Promise<pg.Client> {
    const held = newClient(cluster, 'postgres', SUPERVISOR);
    await held.connect();
    let ended = false;
    const onEnd = () => {
      if (!ended && !leaving) {
        ended = true;
        restarting = restart();
      }
    };
    held.on('error', onEnd);
    held.on('end', onEnd);
    return held;
  }

  async function restart(): Promise<void> {
    for (let delayMs = 100; !leaving; delayMs = Math.min(delayMs * 2, 5_000)) {
      try {
        cluster.log.warn('The embedded PostgreSQL is gone; bringing it back');
        await ensureRunning(cluster);
        client = await hold();
        cluster.log.info('The embedded PostgreSQL is back');
        return;
      } catch (error) {
        cluster.log.error({ err: error }, 'Could not bring the embedded PostgreSQL back; trying again');
        await sleep(delayMs, undefined, { ref: false });
      }
    }
  }

  return {
    letGo: async () => {
      leaving = true;
      await restarting;
      try {
        const { ours, others } = await lookAround(client);
        if (others > 0) {
          cluster.log.info({ connections: others }, 'Leaving PostgreSQL running: others use it');
        }
        return ours && others === 0;
      } catch {
        // The server is gone already.
        return false;
      } finally {
        await client.end().catch(() => {});
      }
    },
  };
}

/**
 * Whether the server is ours, and how many connections others have. Where no other process supervises the server they are
 * given a moment: those of this process, closed just now, may not have ended on the server's side.
 */
async function lookAround(client: pg.Client): Promise<{ ours: boolean; others: number }> {
  for (const until = performance.now() + ENDING_MS; ; await sleep(50)) {
    const { rows } = await client.query<{ ours: boolean; others: number; supervisors: number }>(
      `select current_setting('cluster_name') = $1 as ours, count(pid)::int as others,
              count(pid) filter (where application_name = $2)::int as supervisors
         from (values (1)) as one
         left join pg_stat_activity on backend_type = 'client backend' and pid <> pg_backend_pid()`,
      [CLUSTER_NAME, SUPERVISOR],
    );
    const { ours = false, others = 0, supervisors = 0 } = rows[0] ?? {};
    if (others === 0 || supervisors > 0 || performance.now() > until) return { ours, others };
  }
}

function newClient(cluster: Cluster, database: string, name = 'tollgate start'): pg.Client {
  return new pg.Client({
    host: cluster.socketDir,
    user: USER,
    database,
    application_name: name,
    connectionTimeoutMillis: 10_000,
  });
}

async function accepts(cluster: Cluster): Promise<boolean> {
  const client = newClient(cluster, 'postgres');
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

/** Runs one of PostgreSQL's programs as its user, with nothing of our environment: that holds secrets. */
async function command(
  cluster: Cluster,
  program: string,
  args: string[],
  { mayFail = false } = {},
): Promise<{ ok: boolean; output: string }> {
  const { owner } = cluster;
  const child = spawn(program, args, {
    cwd: cluster.home,
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC', HOME: cluster.home },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(owner.switched ? { uid: owner.uid, gid: owner.gid } : {}),
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  // "exit", not "close": the server that pg_ctl leaves behind may keep the pipes open.
  const ok = await new Promise<boolean>((resolve) => {
    child.once('error', (error) => {
      output += error.message;
      resolve(false);
    });
    child.once('exit', (code) => resolve(code === 0));
  });
  if (!ok && !mayFail) {
    throw new EmbeddedPostgresError(`${path.basename(program)} ${args[0]} failed: ${output.trim()}`);
  }
  return { ok, output };
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

function hash(text: string): string {
  return createHash('sha256').update(`${os.hostname()}\n${text}`).digest('hex').slice(0, 12);
}
