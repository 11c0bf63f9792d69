import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { syncObject } from '../../src/mirror/sync-object.ts';
import { customer, DAY, item, price, START, subscription } from '../support/mirror-objects.ts';
import { INSTALLATION, type MirrorWorld, startMirrorWorld } from '../support/mirror-world.ts';

let world: MirrorWorld;
let project: string;

beforeAll(async () => {
  world = await startMirrorWorld();
  project = await world.addProject('a');
});
afterAll(() => world.close());

async function row(id: string) {
  return await world.database.db
    .selectFrom('tollgate.customers')
    .select(['email', 'name', 'stripe_customer_id', 'stripe_generation'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
}

describe('a Stripe customer', () => {
  it('that is linked gives its email and name, and takes none away', async () => {
    const id = await world.addCustomer(project, 'copied', 'cus_copied');
    world.stripe.put(customer('cus_copied', { email: 'a@example.com', name: 'Ada' }));
    expect(await world.sync('customer', 'cus_copied')).toEqual({
      status: 'applied',
      reason: null,
      projectId: project,
      customerId: id,
    });
    expect(await row(id)).toMatchObject({ email: 'a@example.com', name: 'Ada' });
    world.stripe.put(customer('cus_copied', { email: null, name: 'Ada' }));
    expect((await world.sync('customer', 'cus_copied')).status).toBe('unchanged');
    expect(await row(id)).toMatchObject({ email: 'a@example.com' });
  });

  it('that is stamped becomes linked, and what waited for it is woken', async () => {
    const id = await world.addCustomer(project, 'stamped');
    const metadata = { tollgate_installation: INSTALLATION, tollgate_project: project, tollgate_customer: id };
    world.stripe.put(customer('cus_stamped', { metadata }));
    expect(await world.sync('customer', 'cus_stamped')).toMatchObject({ status: 'applied', customerId: id });
    expect(await row(id)).toMatchObject({ stripe_customer_id: 'cus_stamped' });
    const { rows } = await world.database.pool.query(
      `select 1 from graphile_worker.jobs where key = 'wake:default:cus_stamped'`,
    );
    expect(rows).toHaveLength(1);
  });

  it('stamped for a customer who has another one is parked', async () => {
    const id = await world.addCustomer(project, 'taken', 'cus_first');
    const metadata = { tollgate_installation: INSTALLATION, tollgate_project: project, tollgate_customer: id };
    world.stripe.put(customer('cus_second', { metadata }));
    expect(await world.sync('customer', 'cus_second')).toMatchObject({ status: 'parked', reason: 'customer_conflict' });
    expect(await row(id)).toMatchObject({ stripe_customer_id: 'cus_first' });
  });

  it('that nobody knows is ignored', async () => {
    world.stripe.put(customer('cus_unknown'));
    expect(await world.sync('customer', 'cus_unknown')).toMatchObject({ status: 'ignored', reason: 'not_ours' });
  });

  it.each(['as a stub', 'with a 404'])('that was deleted (%s) ends its subscriptions and is forgotten', async (how) => {
    const suffix = how.replaceAll(' ', '_');
    const cus = `cus_gone_${suffix}`;
    const sub = `sub_gone_${suffix}`;
    const id = await world.addCustomer(project, suffix, cus);
    world.stripe.put(customer(cus), subscription(sub, cus, [item(`si_${suffix}`, price('price_a', 'prod_a'))]));
    await world.sync('subscription', sub);
    expect(await world.access(project, suffix)).toMatchObject({ entitled: true });

    if (how === 'as a stub') world.stripe.put({ id: cus, object: 'customer', deleted: true });
    else world.stripe.remove(cus);
    expect(await world.sync('customer', cus)).toMatchObject({ status: 'applied', reason: 'stripe_customer_deleted' });
    expect(await world.fact(sub)).toMatchObject({ status: 'canceled', endedAt: (START + 3600) * 1000 });
    expect(await world.access(project, suffix)).toEqual({ entitled: false, reason: 'canceled' });
    expect(await row(id)).toMatchObject({ stripe_customer_id: null, stripe_generation: 1 });

    // A late event about the subscription must not link the deleted one again.
    await world.sync('subscription', sub);
    expect(await row(id)).toMatchObject({ stripe_customer_id: null });
    const { rows } = await world.database.pool.query('select 1 from tollgate.fact_versions where object_id = $1', [
      sub,
    ]);
    expect(rows).toHaveLength(2);
  });

  it('that was deleted while something of it was on its way is linked to nobody again', async () => {
    const id = await world.addCustomer(project, 'late', 'cus_late');
    const metadata = { tollgate_installation: INSTALLATION, tollgate_project: project, tollgate_customer: id };
    const items = [item('si_late', price('price_a', 'prod_a'))];
    world.stripe.put(customer('cus_late'), subscription('sub_late', 'cus_late', items, { metadata }));
    const held = world.stripe.holdNext('subscriptions/sub_late');
    const slow = world.sync('subscription', 'sub_late');
    await held.arrived;
    world.stripe.put({ id: 'cus_late', object: 'customer', deleted: true });
    expect(await world.sync('customer', 'cus_late')).toMatchObject({ reason: 'stripe_customer_deleted' });
    held.release();
    await slow;
    expect(await row(id)).toMatchObject({ stripe_customer_id: null, stripe_generation: 1 });
  });

  it('that gets a card lets the trial convert that would have ended without one', async () => {
    await world.addCustomer(project, 'trying', 'cus_trying');
    const trial = subscription('sub_trying', 'cus_trying', [item('si_trying', price('price_a', 'prod_a'))], {
      status: 'trialing',
      trial_end: START + 7 * DAY,
      trial_settings: { end_behavior: { missing_payment_method: 'cancel' } },
    });
    world.stripe.put(customer('cus_trying'), trial);
    await world.sync('subscription', 'sub_trying');
    expect(await world.fact('sub_trying')).toMatchObject({ missingPaymentMethod: true });
    // Stripe tells of the customer alone: nothing of the subscription itself has changed.
    world.stripe.put(customer('cus_trying', { invoice_settings: { default_payment_method: 'pm_card' } }));
    await world.sync('customer', 'cus_trying');
    expect(await world.fact('sub_trying')).toMatchObject({ missingPaymentMethod: false });
  });

  it('that is not found in live mode is forgotten by nobody; one that was deleted leaves a stub there', async () => {
    const id = await world.addCustomer(project, 'lost', 'cus_lost');
    const request = { connectionId: 'default', cause: { type: 'event', id: 'evt' } } as const;
    const sync = () => syncObject(world.inLiveMode(), { ...request, ref: { type: 'customer', id: 'cus_lost' } });
    await expect(sync()).rejects.toMatchObject({ code: 'stripe_refused' });
    expect(await row(id)).toMatchObject({ stripe_customer_id: 'cus_lost' });
    world.stripe.put({ id: 'cus_lost', object: 'customer', deleted: true });
    expect(await sync()).toMatchObject({ status: 'applied', reason: 'stripe_customer_deleted' });
  });

  it('of two projects is told apart by what is bought', async () => {
    const other = await world.addProject('b');
    await world.addCustomer(project, 'shared-a', 'cus_shared');
    const inOther = await world.addCustomer(other, 'shared-b', 'cus_shared');
    world.stripe.put(
      customer('cus_shared'),
      subscription('sub_shared', 'cus_shared', [item('si_shared', price('price_b', 'prod_b'))]),
      subscription('sub_unclear', 'cus_shared', [item('si_unclear', price('price_z', 'prod_z'))]),
      subscription('sub_mixed', 'cus_shared', [
        item('si_mixed_a', price('price_a', 'prod_a')),
        item('si_mixed_b', price('price_b', 'prod_b')),
      ]),
    );
    expect(await world.sync('subscription', 'sub_shared')).toMatchObject({ projectId: other, customerId: inOther });
    expect(await world.access(project, 'shared-a')).toMatchObject({ entitled: false });
    expect(await world.sync('subscription', 'sub_unclear')).toMatchObject({
      status: 'parked',
      reason: 'project_ambiguous',
    });
    expect(await world.sync('subscription', 'sub_mixed')).toMatchObject({
      status: 'parked',
      reason: 'project_conflict',
    });
  });
});
