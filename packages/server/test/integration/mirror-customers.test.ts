import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyListed } from '../../src/mirror/apply-listed.ts';
import { completeSubscription, EXPANSIONS_WITH_PAYMENT } from '../../src/mirror/fetch-subscription.ts';
import { subscriptionFact } from '../../src/mirror/subscription-fact.ts';
import { syncObject } from '../../src/mirror/sync-object.ts';
import { subscriptionHints } from '../../src/mirror/sync-subscription.ts';
import { customer, DAY, item, price, START, subscription } from '../support/mirror-objects.ts';
import { INSTALLATION, type MirrorWorld, startMirrorWorld } from '../support/mirror-world.ts';
import { until } from '../support/until.ts';

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

/** Whether a statement that names the table waits for a lock. */
async function isWaiting(table: string): Promise<boolean> {
  const { rows } = await world.database.pool.query(
    `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like $1`,
    [`%${table}%`],
  );
  return rows.length > 0;
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

  it('that was deleted after a list was read is linked to nobody by what the list shows', async () => {
    const id = await world.addCustomer(project, 'listed', null);
    const metadata = { tollgate_installation: INSTALLATION, tollgate_project: project, tollgate_customer: id };
    const items = [item('si_listed', price('price_a', 'prod_a'))];
    world.stripe.put(customer('cus_listed'), subscription('sub_listed', 'cus_listed', items, { metadata }));
    const connection = world.deps.connections.get('default');
    const expand = EXPANSIONS_WITH_PAYMENT;
    const shown = await connection.client.subscriptions.retrieve('sub_listed', { expand });
    const fetched = await completeSubscription(connection, shown);
    world.stripe.put({ id: 'cus_listed', object: 'customer', deleted: true });
    await world.sync('customer', 'cus_listed');

    const { customer: stripeCustomer } = fetched;
    const listed = {
      fact: subscriptionFact(fetched),
      customer: stripeCustomer,
      payments: [],
      hints: subscriptionHints(fetched),
    };
    const by = { cause: { type: 'import', id: 'imp_test' }, now: world.deps.clock.now() } as const;
    const { ids } = await world.database.db
      .transaction()
      .execute((tx) => applyListed(tx, connection, project, [listed], by));
    expect([...ids]).toEqual(['sub_listed']);
    expect(await row(id)).toMatchObject({ stripe_customer_id: null });
  });

  it('that is deleted while it is being linked is forgotten by whoever comes second', async () => {
    const id = await world.addCustomer(project, 'overlapping');
    const metadata = { tollgate_installation: INSTALLATION, tollgate_project: project, tollgate_customer: id };
    const items = [item('si_overlap', price('price_a', 'prod_a'))];
    world.stripe.put(customer('cus_overlap'), subscription('sub_overlap', 'cus_overlap', items, { metadata }));
    // Its event came before anything said whose it is.
    expect(await world.sync('customer', 'cus_overlap')).toMatchObject({ status: 'ignored' });
    // What links it cannot end: the last thing that it writes has to wait.
    const { linking, deleting } = await world.database.db.transaction().execute(async (tx) => {
      await sql`lock table tollgate.fact_versions in share mode`.execute(tx);
      const linking = world.sync('subscription', 'sub_overlap');
      await until(() => isWaiting('fact_versions'), 5_000, 'the subscription is being saved');
      world.stripe.put({ id: 'cus_overlap', object: 'customer', deleted: true });
      const deleting = world.sync('customer', 'cus_overlap');
      await Promise.race([deleting, until(() => isWaiting('object_sequences'), 5_000, 'one waits for the other')]);
      return { linking, deleting };
    });
    expect(await linking).toMatchObject({ status: 'applied', customerId: id });
    expect(await deleting).toMatchObject({ status: 'applied', reason: 'stripe_customer_deleted' });
    expect(await row(id)).toMatchObject({ stripe_customer_id: null });
  });

  it('that is no more than called like a customer is parked: with the link would go the billing portal', async () => {
    const id = await world.addCustomer(project, 'victim@example.com');
    world.stripe.put(customer('cus_alike', { email: 'victim@example.com' }));
    const called = { projectId: project, externalId: 'victim@example.com', links: false, takesUnclaimed: true };
    const result = await syncObject(world.deps, {
      connectionId: 'default',
      ref: { type: 'customer', id: 'cus_alike' },
      cause: { type: 'import', id: 'imp_test' },
      declared: () => called,
    });
    expect(result).toMatchObject({ status: 'parked', reason: 'customer_unknown' });
    expect(await row(id)).toMatchObject({ stripe_customer_id: null, email: null });
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
