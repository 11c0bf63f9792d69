/** Stripe takes the question and never answers. */
import { expect, test } from 'vitest';
import { startInboxService } from '../support/inbox-service.ts';
import { customer, item, price, subscription } from '../support/mirror-objects.ts';
import { startMirrorWorld } from '../support/mirror-world.ts';
import { deliver, eventAbout } from '../support/signed-events.ts';
import { until } from '../support/until.ts';

test('an event whose object Stripe does not answer about is tried again until it does', async () => {
  const world = await startMirrorWorld();
  const inbox = await startInboxService({
    databaseUrl: world.database.url,
    stripeUrl: world.stripe.url,
    stripeTimeoutMs: 300,
  });
  try {
    const projectId = await world.addProject('pro');
    await world.addCustomer(projectId, 'u_1', 'cus_1');
    world.stripe.put(customer('cus_1'), subscription('sub_1', 'cus_1', [item('si_1', price('price_pro', 'prod_pro'))]));
    // The SDK asks twice before it gives up.
    for (let n = 0; n < 4; n++) world.stripe.holdNext('subscriptions/sub_1');
    const event = eventAbout('customer.subscription.created', { id: 'sub_1' });
    expect(await deliver(inbox.url, event)).toBe(200);
    const row = async () =>
      await inbox.db.selectFrom('tollgate.events').selectAll().where('id', '=', event.id).executeTakeFirstOrThrow();
    await until(async () => (await row()).reason?.startsWith('stripe_unavailable: ') === true);
    await until(async () => (await row()).status === 'processed', 20_000);
    expect((await row()).attempts).toBeGreaterThanOrEqual(3);
    expect(await world.access(projectId, 'u_1')).toMatchObject({ entitled: true });
  } finally {
    await inbox.close();
    await world.close();
  }
});
