import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Stripe from 'stripe';
import { afterEach, expect, test } from 'vitest';

const MAIN = path.join(import.meta.dirname, '../src/main.ts');
const running = new Set<ChildProcess>();

afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
  running.clear();
});

interface Run {
  child: ChildProcess;
  /** Where it says that it listens; null when it ended without. */
  url: string | null;
  ended: Promise<{ code: number | null; out: string; err: string }>;
}

/** Runs the command until it says where it listens, or ends. */
async function run(...args: string[]): Promise<Run> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let out = '';
  let err = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    child.on('close', (code) => {
      running.delete(child);
      resolve({ code, out, err });
    });
  });
  const listening = new Promise<string>((resolve) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      const url = /^Stripe sandbox on (\S+)$/m.exec(out)?.[1];
      if (url !== undefined) resolve(url);
    });
  });
  return { child, url: await Promise.race([listening, ended.then(() => null)]), ended };
}

function sdk(url: string | null): Stripe {
  const { port } = new URL(url ?? '');
  return new Stripe('sk_test_main', { host: '127.0.0.1', port: Number(port), protocol: 'http' });
}

test('help says what there is', async () => {
  const { ended } = await run('--help');
  const { code, out } = await ended;
  expect(code).toBe(0);
  for (const option of ['--port', '--webhook', '--webhook-secret', '--file', '--seed']) expect(out).toContain(option);
});

test.each([
  [['--port', 'http'], '--port has to be a whole number'],
  [['--port', '70000'], '--port has to be a whole number'],
  [['--webhook', 'http://127.0.0.1:1/x'], '--webhook needs a --webhook-secret'],
  [['--webhook-secret', 'whsec_x'], '--webhook-secret needs a --webhook'],
  [['--webhook', 'nowhere', '--webhook-secret', 'whsec_x'], 'is no http(s) address'],
  [['--prot', '1'], '--prot'],
])('%j is a mistake that is told, with the usage', async (args, told) => {
  const { ended } = await run(...args);
  const { code, err } = await ended;
  expect(code).toBe(2);
  expect(err).toContain(told);
  expect(err).toContain('Usage:');
});

test('a port that is taken is told in a sentence', async () => {
  const first = await run('--port', '0');
  const { ended } = await run('--port', new URL(first.url ?? '').port);
  const { code, err } = await ended;
  expect(code).toBe(1);
  expect(err).toContain('Choose another --port.');
  expect(err).not.toContain('at ');
});

test('what is in its file survives a restart', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'stripe-sandbox-'));
  const file = path.join(directory, 'state.json');
  const first = await run('--port', '0', '--file', file);
  const made = await sdk(first.url).customers.create({ email: 'ada@example.com' });
  first.child.kill('SIGTERM');
  expect((await first.ended).code).toBe(0);
  const second = await run('--port', '0', '--file', file);
  expect(await sdk(second.url).customers.retrieve(made.id)).toMatchObject({ email: 'ada@example.com' });
  await rm(directory, { recursive: true, force: true });
});

test('whatever moment it is killed at, its file holds a whole state', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'stripe-sandbox-'));
  const file = path.join(directory, 'state.json');
  const first = await run('--port', '0', '--file', file);
  const stripe = sdk(first.url);
  const kept = await stripe.customers.create({ email: 'ada@example.com' });
  await expect.poll(() => readFile(file, 'utf8').catch(() => ''), { timeout: 20_000 }).toContain(kept.id);
  // It writes while this goes on, and is killed somewhere in it.
  let made = 0;
  const goOn = async (): Promise<void> => {
    for (;;) {
      await stripe.customers.create({ description: 'x'.repeat(400) });
      made += 1;
    }
  };
  const broken = Promise.all([goOn(), goOn(), goOn(), goOn()]).catch((error: unknown) => error);
  await expect.poll(() => made, { timeout: 20_000 }).toBeGreaterThan(300);
  first.child.kill('SIGKILL');
  expect(await broken).toBeInstanceOf(Stripe.errors.StripeConnectionError);
  const second = await run('--port', '0', '--file', file);
  expect(await sdk(second.url).customers.retrieve(kept.id)).toMatchObject({ email: 'ada@example.com' });
  await rm(directory, { recursive: true, force: true });
});

test('events go to the webhook, signed with its secret', async () => {
  const stripe = new Stripe('sk_test_main');
  const received = Promise.withResolvers<Stripe.Event>();
  const receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const signature = String(request.headers['stripe-signature']);
      try {
        received.resolve(stripe.webhooks.constructEvent(Buffer.concat(chunks), signature, 'whsec_mine'));
      } catch (error) {
        received.reject(error);
      }
      response.end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const { port } = receiver.address() as AddressInfo;
  const hook = ['--webhook', `http://127.0.0.1:${port}/hook`, '--webhook-secret', 'whsec_mine'];
  const { url } = await run('--port', '0', ...hook);
  await sdk(url).products.create({ name: 'Pro' });
  expect((await received.promise).type).toBe('product.created');
  receiver.closeAllConnections();
  receiver.close();
});
