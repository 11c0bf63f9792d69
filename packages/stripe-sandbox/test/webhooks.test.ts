import Stripe from 'stripe';
import { expect, test } from 'vitest';
import { receiver, sandboxWithClient } from './support/sandbox.ts';
import { boughtSubscription } from './support/shop.ts';

test('webhooks are signed so that the official client accepts them, and refuses them with another secret', async () => {
  const hook = await receiver();
  const { stripe, control } = await sandboxWithClient({ webhooks: [hook] });
  await boughtSubscription(stripe, control);
  await control.settled();
  expect(hook.received.length).toBeGreaterThan(10);
  for (const { body, signature } of hook.received) {
    const event = stripe.webhooks.constructEvent(body, signature, hook.secret);
    expect(event).toMatchObject({ object: 'event', api_version: '2026-10-28.endive', livemode: false });
  }
  const [{ body, signature } = { body: '', signature: '' }] = hook.received;
  expect(() => stripe.webhooks.constructEvent(body, signature, 'whsec_other')).toThrow(
    Stripe.errors.StripeSignatureVerificationError,
  );
});

test('while a secret is being replaced events are signed with both, and afterwards with the new one alone', async () => {
  const hook = await receiver();
  const { stripe, control } = await sandboxWithClient();
  const { id, secret } = await stripe.webhookEndpoints.create({ url: hook.url, enabled_events: ['customer.created'] });
  const rolled = control.rollSecret(id, { seconds: 3600 });
  const send = async () => {
    await stripe.customers.create({});
    await control.settled();
    return hook.received.at(-1) ?? { body: '', signature: '' };
  };
  const both = await send();
  for (const one of [rolled, String(secret)]) {
    expect(stripe.webhooks.constructEvent(both.body, both.signature, one).type).toBe('customer.created');
  }
  control.advance({ seconds: 3600 });
  const after = await send();
  expect(stripe.webhooks.constructEvent(after.body, after.signature, rolled).type).toBe('customer.created');
  expect(() => stripe.webhooks.constructEvent(after.body, after.signature, String(secret))).toThrow(/signature/);
});

test('signatures carry the real time, however far the sandbox is ahead', async () => {
  const hook = await receiver();
  const { stripe, control } = await sandboxWithClient({ webhooks: [hook] });
  control.advance({ days: 500 });
  await stripe.customers.create({});
  await control.settled();
  const [first] = hook.received;
  const event = stripe.webhooks.constructEvent(String(first?.body), String(first?.signature), hook.secret);
  expect(event.created).toBe(control.state().now);
});

test('what is not answered with a 2xx is sent again until it is', async () => {
  const hook = await receiver((_received, count) => (count < 4 ? 500 : 200));
  const { stripe, control } = await sandboxWithClient({ webhooks: [hook], delivery: { retryBaseMs: 5 } });
  await stripe.customers.create({});
  await control.settled();
  expect(hook.received).toHaveLength(4);
  expect(new Set(hook.received.map(({ event }) => event.id)).size).toBe(1);
  expect(control.deliveries().map(({ attempt, status }) => [attempt, status])).toEqual([
    [1, 500],
    [2, 500],
    [3, 500],
    [4, 200],
  ]);
  const [event] = (await stripe.events.list({ delivery_success: true })).data;
  expect(event?.pending_webhooks).toBe(0);
});

test('an endpoint that never answers well is given up in the end', async () => {
  const hook = await receiver(() => 410);
  const { stripe, control } = await sandboxWithClient({
    webhooks: [hook],
    delivery: { retryBaseMs: 1, maxAttempts: 3 },
  });
  await stripe.customers.create({});
  await control.settled();
  expect(hook.received).toHaveLength(3);
});

test('endpoints are made, changed and deleted over the API, and get only what they ask for', async () => {
  const hook = await receiver();
  const { stripe, control } = await sandboxWithClient();
  const endpoint = await stripe.webhookEndpoints.create({ url: hook.url, enabled_events: ['product.created'] });
  expect(endpoint.secret).toMatch(/^whsec_/);
  expect(await stripe.webhookEndpoints.retrieve(endpoint.id)).not.toHaveProperty('secret');
  await stripe.products.create({ name: 'Pro' });
  await stripe.customers.create({});
  await control.settled();
  expect(hook.types()).toEqual(['product.created']);
  const [{ body, signature } = { body: '', signature: '' }] = hook.received;
  expect(() => stripe.webhooks.constructEvent(body, signature, String(endpoint.secret))).not.toThrow();
  await stripe.webhookEndpoints.update(endpoint.id, { disabled: true });
  await stripe.products.create({ name: 'Max' });
  expect((await stripe.webhookEndpoints.list()).data[0]?.status).toBe('disabled');
  await stripe.webhookEndpoints.del(endpoint.id);
  await control.settled();
  expect(hook.received).toHaveLength(1);
});

test('events are dropped on purpose, and can still be fetched and sent again', async () => {
  const hook = await receiver();
  const { stripe, control } = await sandboxWithClient({ webhooks: [hook] });
  control.setFaults({ drop: 1 });
  await stripe.customers.create({});
  await control.settled();
  expect(hook.received).toEqual([]);
  const [event] = (await stripe.events.list()).data;
  control.resendEvent(String(event?.id));
  await control.settled();
  expect(hook.types()).toEqual(['customer.created']);
});

test('events are delivered twice on purpose', async () => {
  const hook = await receiver();
  const { stripe, control } = await sandboxWithClient({ webhooks: [hook] });
  control.setFaults({ duplicate: 1 });
  await stripe.customers.create({});
  await control.settled();
  expect(hook.received.map(({ event }) => event.id)).toHaveLength(2);
  expect(new Set(hook.received.map(({ event }) => event.id)).size).toBe(1);
});

test('events overtake each other on purpose, and none is lost', async () => {
  const hook = await receiver();
  const { stripe, control } = await sandboxWithClient({ webhooks: [hook], delivery: { concurrency: 1 } });
  control.setFaults({ shuffle: 0.5, seed: 7 });
  const made: string[] = [];
  for (let index = 0; index < 20; index += 1) made.push((await stripe.customers.create({})).id);
  await control.settled();
  const got = hook.received.map(({ event }) => (event.data.object as { id: string }).id);
  expect(got).not.toEqual(made);
  expect([...got].sort()).toEqual([...made].sort());
});

test('resetting forgets everything but the endpoints that were given at the start', async () => {
  const hook = await receiver();
  const { stripe, control } = await sandboxWithClient({ webhooks: [hook] });
  await stripe.customers.create({});
  control.advance({ days: 3 });
  control.reset();
  expect((await stripe.customers.list()).data).toEqual([]);
  expect((await stripe.events.list()).data).toEqual([]);
  await stripe.products.create({ name: 'Pro' });
  await control.settled();
  expect(hook.types()).toContain('product.created');
});
