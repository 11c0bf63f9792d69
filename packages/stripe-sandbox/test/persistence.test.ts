import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startSandbox } from '../src/index.ts';
import { clientOf, receiver } from './support/sandbox.ts';
import { boughtSubscription } from './support/shop.ts';

function stateFile(): string {
  const directory = mkdtempSync(join(tmpdir(), 'sandbox-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'nested', 'state.json');
}

test('with a file, everything is there again after a restart: objects, time, plans and idempotency keys', async () => {
  const file = stateFile();
  const before = await startSandbox({ file });
  const stripe = clientOf(before);
  const { subscription } = await boughtSubscription(stripe, before.control);
  const customer = await stripe.customers.create({ name: 'Ann' }, { idempotencyKey: 'ann' });
  const account = await stripe.accounts.retrieveCurrent();
  before.control.advance({ days: 20 });
  const { now } = before.control.state();
  await before.close();

  const after = await startSandbox({ file });
  onTestFinished(() => after.close());
  const again = clientOf(after);
  expect(after.control.state().now).toBeGreaterThanOrEqual(now);
  expect((await again.customers.create({ name: 'Ann' }, { idempotencyKey: 'ann' })).id).toBe(customer.id);
  expect((await again.customers.list()).data).toHaveLength(2);
  expect((await again.accounts.retrieveCurrent()).id).toBe(account.id);
  after.control.advance({ days: 20 });
  const invoices = await again.invoices.list({ subscription: subscription.id });
  expect(invoices.data.map(({ status }) => status)).toEqual(['paid', 'paid']);
});

test('a change of a price shows in the subscriptions to it, after a restart as before', async () => {
  const file = stateFile();
  const before = await startSandbox({ file });
  const { subscription, price } = await boughtSubscription(clientOf(before), before.control);
  await before.close();
  const after = await startSandbox({ file });
  onTestFinished(() => after.close());
  await clientOf(after).prices.update(price.id, { nickname: 'Monthly' });
  const found = await clientOf(after).subscriptions.retrieve(subscription.id);
  expect(found.items.data[0]?.price.nickname).toBe('Monthly');
});

test('the file is written while the sandbox runs, and never in halves', async () => {
  const file = stateFile();
  const sandbox = await startSandbox({ file });
  onTestFinished(() => sandbox.close());
  await clientOf(sandbox).customers.create({});
  await vi.waitFor(() => expect(existsSync(file)).toBe(true), 5000);
  expect(readdirSync(join(file, '..'))).toEqual(['state.json']);
});

test('a file that is not a sandbox’s state is refused, and left as it is', async () => {
  const file = stateFile().replace('nested/', '');
  writeFileSync(file, 'not json');
  await expect(startSandbox({ file })).rejects.toThrow(/is not JSON/);
  writeFileSync(file, '{"format":99}');
  await expect(startSandbox({ file })).rejects.toThrow(/another version/);
});

test('without a file nothing is kept', async () => {
  const first = await startSandbox();
  await clientOf(first).customers.create({});
  await first.close();
  const second = await startSandbox();
  onTestFinished(() => second.close());
  expect((await clientOf(second).customers.list()).data).toEqual([]);
});

test('what was on its way to an endpoint at the end is delivered after a restart', async () => {
  const file = stateFile();
  let well = false;
  const hook = await receiver(() => (well ? 200 : 500));
  const before = await startSandbox({ file, webhooks: [hook], delivery: { retryBaseMs: 60_000 } });
  const customer = await clientOf(before).customers.create({});
  await vi.waitFor(() => expect(hook.received).toHaveLength(1), 5000);
  await before.close();
  well = true;
  const after = await startSandbox({ file, webhooks: [hook] });
  onTestFinished(() => after.close());
  await after.control.settled();
  expect(hook.received).toHaveLength(2);
  expect(hook.received.map(({ event }) => (event.data.object as { id: string }).id)).toEqual([
    customer.id,
    customer.id,
  ]);
});
