/** Starts the service, and what it is compared with, as processes of their own; everything stays on loopback. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';

export const MAIN = path.resolve(import.meta.dirname, '../packages/server/src/main.ts');
const SANDBOX = path.resolve(import.meta.dirname, '../packages/stripe-sandbox/src/main.ts');
/** As the Makefile and the image start it. */
const HEAP = ['--max-semi-space-size=4', '--heap-growing-percent=40'];
export const WEBHOOK_SECRET = 'whsec_benchmark_0123456789abcdefghij';
export const ADMIN_KEY = 'tg_admin_benchmark_0123456789abcdefghijklmnop';

export interface RunningService {
  url: string;
  sandboxUrl: string;
  dataDir: string;
  /** Milliseconds from spawn to the first 200 of `/ready`. */
  startMs: number;
  /** Resident memory of the service's process, in MB. */
  residentMb(): Promise<number>;
  /** Where the embedded database is reached. */
  database(): Promise<pg.ClientConfig>;
  /** Ends the sandbox that stands apart, lets something happen (to its file, say), and starts it again. */
  restartSandbox(between: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('No TCP port was given.');
  return address.port;
}

export interface ServiceOptions {
  dataDir?: string;
  keepData?: boolean;
  /** The sandbox as a process of its own, as Stripe is, so that its work is not counted as the service's. */
  sandboxApart?: boolean;
  /** Where the sandbox that stands apart keeps its state. */
  sandboxFile?: string;
  /** More settings of the service. */
  settings?: Readonly<Record<string, string>>;
}

/** Starts the whole service on the embedded database and a sandbox, and waits until it is ready. */
export async function startService(options: ServiceOptions = {}): Promise<RunningService> {
  const dataDir = options.dataDir ?? (await mkdtemp(path.join(tmpdir(), 'tollgate-bench-')));
  const [port, sandboxPort] = [await freePort(), await freePort()];
  const apart = () => startSandbox(sandboxPort, port, options.sandboxFile);
  let sandbox = options.sandboxApart === true ? await apart() : null;
  const started = performance.now();
  // PROFILE=<directory>: where the service spends its time, for Chrome's developer tools.
  const profile = process.env.PROFILE === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${process.env.PROFILE}`];
  const child = spawn(process.execPath, [...profile, ...HEAP, MAIN], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      HOST: '127.0.0.1',
      PORT: String(port),
      SANDBOX_PORT: String(sandboxPort),
      TOLLGATE_DATA_DIR: dataDir,
      TOLLGATE_ADMIN_KEY: ADMIN_KEY,
      LOG_LEVEL: 'info',
      ...(sandbox === null
        ? {}
        : {
            STRIPE_SECRET_KEY: 'sk_test_benchmark0123',
            STRIPE_WEBHOOK_SECRET: WEBHOOK_SECRET,
            STRIPE_API_BASE: `http://127.0.0.1:${sandboxPort}`,
          }),
      ...options.settings,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  // A benchmark that fails leaves no service behind.
  process.once('exit', () => child.kill('SIGTERM'));
  const url = `http://127.0.0.1:${port}`;
  await ready(url, child);
  const startMs = performance.now() - started;
  return {
    url,
    sandboxUrl: `http://127.0.0.1:${sandboxPort}`,
    dataDir,
    startMs,
    residentMb: async () => {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
    },
    database: () => embeddedConnection(dataDir),
    restartSandbox: async (between) => {
      if (sandbox !== null) await end(sandbox);
      await between();
      sandbox = await apart();
    },
    stop: async () => {
      await end(child);
      if (sandbox !== null) await end(sandbox);
      if (options.keepData !== true) await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** The embedded server's socket, as its own pid file names it. */
export async function embeddedConnection(dataDir: string): Promise<pg.ClientConfig> {
  const lines = (await readFile(path.join(dataDir, 'postgres', 'data', 'postmaster.pid'), 'utf8')).split('\n');
  const [port, socketDir] = [lines[3], lines[4]];
  if (port === undefined || socketDir === undefined) throw new Error(`No server runs in ${dataDir}.`);
  return { host: socketDir, port: Number(port), user: 'tollgate', database: 'tollgate' };
}

async function startSandbox(port: number, servicePort: number, file?: string): Promise<ChildProcess> {
  const webhook = `http://127.0.0.1:${servicePort}/api/v1/webhooks/stripe`;
  const options = ['--port', String(port), '--webhook', webhook, '--webhook-secret', WEBHOOK_SECRET];
  if (file !== undefined) options.push('--file', file);
  const child = spawn(process.execPath, [SANDBOX, ...options], { stdio: ['ignore', 'pipe', 'inherit'] });
  process.once('exit', () => child.kill('SIGTERM'));
  await new Promise((resolve) => child.stdout.once('data', resolve));
  child.stdout.resume();
  return child;
}

async function ready(url: string, child: ChildProcess): Promise<void> {
  for (let waited = 0; waited < 60_000; waited += 10) {
    if (child.exitCode !== null) throw new Error(`The service ended with code ${child.exitCode} before it was ready.`);
    const response = await fetch(`${url}/ready`).catch(() => null);
    if (response?.status === 200) return;
    await sleep(10);
  }
  throw new Error('The service was not ready within 60 s.');
}

/** Ends a process with SIGTERM and waits for it. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

/** One JSON call; throws with the answer's text when it is not a 2xx. */
export async function call<T>(method: string, url: string, key: string, body?: unknown): Promise<T> {
  const response = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text}`);
  return JSON.parse(text) as T;
}

/** A project to measure in. */
export async function openProject(url: string): Promise<{ id: string; secret_key: string }> {
  return await call('POST', `${url}/api/v1/admin/projects`, ADMIN_KEY, { name: 'Benchmark', slug: 'benchmark' });
}

/** The value below which `share` of the sorted samples lie. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Draws ranks 0..n-1 with Zipf's law (exponent 1), seeded, so that two runs ask for the same customers. */
export function zipf(n: number, seed: number): () => number {
  const cumulative = new Float64Array(n);
  let sum = 0;
  for (let rank = 0; rank < n; rank++) {
    sum += 1 / (rank + 1);
    cumulative[rank] = sum;
  }
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const target = (state / 2 ** 32) * sum;
    let low = 0;
    let high = n - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((cumulative[middle] ?? 0) < target) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
