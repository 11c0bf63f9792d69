import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type Control, startSandbox } from '../src/index.ts';
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

/** All that exists, by kind, as JSON has it. */
function everythingIn(control: Control): Record<string, unknown> {
  const kinds = Object.keys(control.state().objects).sort();
  return JSON.parse(
    JSON.stringify(Object.fromEntries(kinds.map((kind) => [kind, control.objects(kind as 'customer')]))),
  ) as Record<string, unknown>;
}

/** Waits until a file says that all before is whole, after something that it names. */
async function written(file: string, what: string): Promise<void> {
  const whole = () => {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    return text.lastIndexOf('\n{"rest":') > text.indexOf(what) && text.includes(what);
  };
  await vi.waitFor(() => expect(whole()).toBe(true), 10_000);
}

/** What is in a file, as files were written at first: one line of JSON. */
function inTheFirstFormat(file: string): string {
  const lines = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const objects: Record<string, unknown[]> = {};
  for (const { kind, object } of lines) {
    if (object !== undefined) objects[String(kind)] = [...(objects[String(kind)] ?? []), object];
  }
  const due = lines.flatMap(({ reminder }) => (reminder === undefined ? [] : [reminder]));
  const idempotency = lines.flatMap(({ answer }) => (answer === undefined ? [] : [answer]));
  const rest = lines.at(-1)?.rest as Record<string, unknown>;
  return JSON.stringify({ format: 1, ...rest, objects, schedules: [['', due]], idempotency });
}

test('whatever is changed after the first writing is in the file as well', async () => {
  const file = stateFile();
  const before = await startSandbox({ file });
  const stripe = clientOf(before);
  const { subscription, price } = await boughtSubscription(stripe, before.control);
  const customer = String(subscription.customer);
  await written(file, subscription.id);
  const seats = await stripe.prices.create({
    product: String(price.product),
    currency: 'usd',
    unit_amount: 300,
    recurring: { interval: 'month' },
    lookup_key: 'seats',
  });
  const added = await stripe.subscriptionItems.create({ subscription: subscription.id, price: seats.id, quantity: 2 });
  await stripe.subscriptionItems.update(added.id, { quantity: 5 });
  await written(file, added.id);
  await stripe.prices.create({
    product: String(price.product),
    currency: 'usd',
    unit_amount: 400,
    recurring: { interval: 'month' },
    lookup_key: 'seats',
    transfer_lookup_key: true,
  });
  await stripe.coupons.create({ id: 'HALF', percent_off: 50, duration: 'once' });
  await stripe.coupons.del('HALF');
  await stripe.coupons.create({ id: 'HALF', percent_off: 40, duration: 'once' });
  await stripe.subscriptions.update(subscription.id, { discounts: [{ coupon: 'HALF' }] });
  await stripe.customers.update(customer, { email: 'new@example.com' });
  before.control.advance({ days: 40 });
  const [charge] = (await stripe.charges.list({ customer })).data;
  await stripe.refunds.create({ charge: charge?.id ?? '', amount: 100 });
  await stripe.subscriptionItems.del(added.id);
  await stripe.subscriptions.cancel(subscription.id);
  const existing = everythingIn(before.control);
  const { now, nextDue } = before.control.state();
  await before.close();

  const after = await startSandbox({ file });
  onTestFinished(() => after.close());
  expect(everythingIn(after.control)).toEqual(existing);
  expect(after.control.state()).toMatchObject({ nextDue });
  expect(after.control.state().now).toBeGreaterThanOrEqual(now);
});

test('wherever a file is broken off, what was written whole before is there', async () => {
  const file = stateFile();
  const before = await startSandbox({ file });
  const stripe = clientOf(before);
  for (const round of [1, 2, 3, 4]) {
    const made = await stripe.customers.create(
      { description: `round ${round} \u2028` },
      { idempotencyKey: `r${round}` },
    );
    await written(file, made.id);
  }
  await before.close();
  const whole = readFileSync(file);
  const begin = whole.indexOf('\n{"rest":') + 1;
  const first = whole.indexOf('\n', begin) + 1;
  const seen = new Set<number>();
  for (let at = first; at <= whole.length; at += Math.ceil((whole.length - first) / 40)) {
    writeFileSync(file, whole.subarray(0, at));
    const after = await startSandbox({ file });
    const { customer = 0, event = 0 } = after.control.state().objects;
    expect(event).toBe(customer);
    seen.add(customer);
    const next = await clientOf(after).customers.create({});
    await after.close();
    expect(readFileSync(file, 'utf8')).toContain(next.id);
    const again = await startSandbox({ file });
    expect(again.control.state().objects).toMatchObject({ customer: customer + 1, event: customer + 1 });
    await again.close();
  }
  expect([...seen]).toEqual([1, 2, 3, 4].slice(-seen.size));
  expect(seen.size).toBeGreaterThanOrEqual(3);
});

test('a file that was written whole, as all once were, is read, and continued in lines', async () => {
  const file = stateFile();
  const first = await startSandbox({ file });
  const { subscription } = await boughtSubscription(clientOf(first), first.control);
  await first.close();
  writeFileSync(file, inTheFirstFormat(file));
  const second = await startSandbox({ file });
  const existing = everythingIn(second.control);
  expect((await clientOf(second).subscriptions.retrieve(subscription.id)).status).toBe('active');
  await second.close();
  const third = await startSandbox({ file });
  onTestFinished(() => third.close());
  expect(everythingIn(third.control)).toEqual(existing);
  third.control.advance({ days: 32 });
  expect((await clientOf(third).invoices.list({ subscription: subscription.id })).data).toHaveLength(2);
});

test('what a reset took away does not stay in the file', async () => {
  const file = stateFile();
  const before = await startSandbox({ file });
  const stripe = clientOf(before);
  const gone = await boughtSubscription(stripe, before.control);
  await written(file, gone.subscription.id);
  before.control.reset();
  const kept = await stripe.customers.create({});
  await written(file, kept.id);
  expect(readFileSync(file, 'utf8')).not.toContain(gone.subscription.id);
  await stripe.customers.update(kept.id, { name: 'Ann' });
  const existing = everythingIn(before.control);
  await before.close();
  const after = await startSandbox({ file });
  onTestFinished(() => after.close());
  expect(everythingIn(after.control)).toEqual(existing);
});
