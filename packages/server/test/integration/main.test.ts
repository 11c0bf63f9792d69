/** The process itself: started as its users start it, asked to stop, started again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';

const MAIN = path.join(import.meta.dirname, '../../src/main.ts');
let dataDir: string;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'tollgate-main-'));
});
afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await rm(dataDir, { recursive: true, force: true });
});

interface Process {
  child: ChildProcess;
  output(): string;
  errors(): string;
  exited: Promise<number | null>;
}

function run(env: Record<string, string>): Process {
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env.PATH ?? '', PORT: '0', SANDBOX_PORT: '0', TOLLGATE_DATA_DIR: dataDir, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let output = '';
  let errors = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    errors += chunk;
  });
  const exited = once(child, 'exit').then(([code]) => {
    running.delete(child);
    return code as number | null;
  });
  return { child, output: () => output, errors: () => errors, exited };
}

/** What the terminal shows under a name. */
function shown(process: Process, name: string): string {
  return new RegExp(`^ {2}${name} +(\\S+)$`, 'm').exec(process.output())?.[1] ?? '';
}

async function ready(process: Process): Promise<void> {
  await until(() => process.output().includes('Tollgate is ready.') || process.child.exitCode !== null, 60_000);
  expect(process.errors()).toBe('');
}

describe('the process', () => {
  it('comes up from nothing, tells where and how, stops when asked, and finds everything again', async () => {
    const first = run({});
    await ready(first);
    const url = shown(first, 'Start here').replace(/\/$/, '');
    const adminKey = shown(first, 'Admin key');
    const secret = shown(first, 'Demo secret key');
    expect((await stat(path.join(dataDir, 'admin-key'))).mode & 0o777).toBe(0o600);
    expect((await readFile(path.join(dataDir, 'admin-key'), 'utf8')).trim()).toBe(adminKey);
    expect(await (await fetch(`${url}/ready`)).json()).toMatchObject({ status: 'ready' });
    expect((await fetch(`${url}/`)).status).toBe(200);
    expect((await fetch(shown(first, 'Stripe sandbox'))).status).toBe(200);

    const authorization = `Bearer ${adminKey}`;
    const granted = await fetch(`${url}/api/v1/admin/grant`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({
        project_id: shown(first, 'Demo project'),
        customer_id: 'u_kept',
        feature: 'pro_export',
        reason: 'to see whether it is there after a restart',
      }),
    });
    expect(granted.status).toBe(201);
    const inside = await fetch(`${url}/api/v1/webhook-endpoints`, {
      method: 'POST',
      headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
      body: JSON.stringify({ url: `${shown(first, 'Stripe sandbox')}_sandbox/reset` }),
    });
    expect([inside.status, await inside.text()]).toEqual([400, expect.stringContaining("Tollgate's own")]);
    first.child.kill('SIGTERM');
    expect(await first.exited).toBe(0);

    const second = run({});
    await ready(second);
    expect(shown(second, 'Admin key')).toBe(adminKey);
    expect(shown(second, 'Demo secret key')).toBe(secret);
    const again = shown(second, 'Start here');
    const check = await fetch(`${again}api/v1/check?customer_id=u_kept&feature=pro_export`, {
      headers: { authorization: `Bearer ${secret}` },
    });
    expect(await check.json()).toMatchObject({ entitled: true, reason: 'grant' });
    second.child.kill('SIGINT');
    expect(await second.exited).toBe(0);
    expect(first.output() + second.output()).not.toContain('"level":"error"');
  });

  it('refuses settings with every problem in one message, and no stack', async () => {
    const process = run({ STRIPE_SECRET_KEY: 'sk_live_abc', PORT: 'eighty', LOG_LEVEL: 'loud' });
    expect(await process.exited).toBe(1);
    expect(process.errors()).toMatch(/STRIPE_WEBHOOK_SECRET/);
    expect(process.errors()).toMatch(/PORT must be a port number/);
    expect(process.errors()).toMatch(/LOG_LEVEL must be one of/);
    expect(process.errors()).not.toMatch(/\bat .*\.ts:|sk_live_abc/);
  });

  it('says which port is taken', async () => {
    const first = run({});
    await ready(first);
    const port = new URL(shown(first, 'Start here')).port;
    const other = await mkdtemp(path.join(tmpdir(), 'tollgate-main-'));
    const second = run({ PORT: port, TOLLGATE_DATA_DIR: other });
    expect(await second.exited).toBe(1);
    expect(second.errors()).toMatch(new RegExp(`${port}[\\s\\S]*Set PORT`));
    await rm(other, { recursive: true, force: true });
    first.child.kill('SIGTERM');
    expect(await first.exited).toBe(0);
  });
});
