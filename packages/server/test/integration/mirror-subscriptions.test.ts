import type { SubscriptionFact } from '@tollgate/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SyncRequest, syncObject } from '../../src/mirror/sync-object.ts';
import { newId } from '../../src/platform/ids.ts';
import { createLog } from '../../src/platform/log.ts';
import {
  coupon,
  customer,
  DAY,
  discount,
  invoice,
  invoicePayment,
  item,
  price,
  START,
  session,
  subscription,
} from '../support/mirror-objects.ts';
import type { Json } from '../support/mirror-stripe.ts';
import { INSTALLATION, type MirrorWorld, startMirrorWorld } from '../support/mirror-world.ts';
import { until } from '../support/until.ts';

let world: MirrorWorld;
let project: string;
let count = 0;

beforeAll(async () => {
  world = await startMirrorWorld();
  project = await world.addProject('a');
});
afterAll(() => world.close());

/** A subscription of a new customer who is linked, put into Stripe. */
async function subscribe(fields: Json = {}) {
  const n = ++count;
  const externalId = `user_${n}`;
  const customerId = await world.addCustomer(project, externalId, `cus_${n}`);
  const id = `sub_${n}`;
  const make = (changes: Json = {}) =>
    subscription(id, `cus_${n}`, [item(`si_${n}`, price('price_a', 'prod_a'))], { ...fields, ...changes });
  world.stripe.put(customer(`cus_${n}`), make());
  return { id, externalId, customerId, make };
}

const CANCELED = { status: 'canceled', canceled_at: START + 600, ended_at: START + 600 };

describe('a subscription', () => {
  it('is applied once, with the access that follows, and says so the second time', async () => {
    const { id, externalId, customerId } = await subscribe();
    const first = await world.sync('subscription', id);
    expect(first).toEqual({ status: 'applied', reason: null, projectId: project, customerId });
    expect(await world.access(project, externalId)).toEqual({ entitled: true, reason: 'subscription_active' });
    expect((await world.sync('subscription', id)).status).toBe('unchanged');
    const versions = await world.database.db
      .selectFrom('tollgate.fact_versions')
      .select(['cause'])
      .where('object_id', '=', id)
      .execute();
    expect(versions).toEqual([{ cause: { type: 'event', id: 'evt_test' } }]);
  });

  it('brings every payment of its latest invoice, and asks for those beyond the tenth where there are any', async () => {
    const { id, make } = await subscribe();
    const payments = Array.from({ length: 12 }, (_, n) => invoicePayment(`inpay_${n}`, 'in_split', `pi_split_${n}`));
    const shown = (count: number) =>
      invoice('in_split', id, {
        status: 'paid',
        billing_reason: 'subscription_create',
        payments: { object: 'list', data: payments.slice(0, count), has_more: count < 12, url: '/v1/invoice_payments' },
      });
    const ledger = async () =>
      await world.database.db
        .selectFrom('tollgate.payments')
        .select('id')
        .where('invoice_id', '=', 'in_split')
        .orderBy('id')
        .execute();
    const listed = () => world.stripe.requests.filter((request) => request.startsWith('GET invoice_payments'));

    world.stripe.put(make({ latest_invoice: 'in_split' }), ...payments, shown(10));
    await world.sync('subscription', id);
    expect((await ledger()).map((payment) => payment.id)).toEqual(payments.map((_, n) => `pi_split_${n}`).sort());
    expect(listed()).toHaveLength(1);
    world.stripe.put(shown(12));
    await world.sync('subscription', id);
    expect(listed()).toHaveLength(1);
  });

  it('keeps the later fetch when the earlier one answers last', async () => {
    const { id, externalId, make } = await subscribe();
    const held = world.stripe.holdNext(`subscriptions/${id}`);
    const slow = world.sync('subscription', id);
    await held.arrived;
    world.stripe.put(make(CANCELED));
    expect((await world.sync('subscription', id)).status).toBe('applied');
    held.release();
    expect((await slow).status).toBe('stale');
    expect(await world.access(project, externalId)).toEqual({ entitled: false, reason: 'canceled' });
  });

  it('keeps the later plan when the earlier fetch answers last', async () => {
    const { id, make } = await subscribe();
    const held = world.stripe.holdNext(`subscriptions/${id}`);
    const slow = world.sync('subscription', id);
    await held.arrived;
    world.stripe.put({ ...make(), cancel_at: START + 5 * DAY });
    await world.sync('subscription', id);
    held.release();
    expect((await slow).status).toBe('stale');
    expect(await world.fact(id)).toMatchObject({ cancelAt: (START + 5 * DAY) * 1000 });
  });

  it('converges to its last state in every order in which its fetches can end', async () => {
    for (const order of permutations([0, 1, 2])) {
      const { id, externalId, make } = await subscribe({ status: 'incomplete' });
      const states = [make(), make({ status: 'active' }), make(CANCELED)];
      const fetches = [];
      for (const state of states) {
        world.stripe.put(state);
        const held = world.stripe.holdNext(`subscriptions/${id}`);
        const synced = world.sync('subscription', id);
        await held.arrived;
        fetches.push({ held, synced });
      }
      for (const index of order) {
        fetches[index]?.held.release();
        await fetches[index]?.synced;
      }
      expect({ order, fact: await world.fact(id) }).toMatchObject({ order, fact: { status: 'canceled' } });
      expect(await world.access(project, externalId)).toEqual({ entitled: false, reason: 'canceled' });
    }
  });

  it('waits for the one who is saving it, and then knows that it is stale', async () => {
    const { id } = await subscribe();
    const held = world.stripe.holdNext(`subscriptions/${id}`);
    const slow = world.sync('subscription', id);
    await held.arrived;
    const other = await world.database.pool.connect();
    try {
      await other.query('begin');
      await other.query('update tollgate.object_sequences set applied = 99 where object_id = $1', [id]);
      held.release();
      await until(async () => {
        // Inside a transaction, PostgreSQL shows what it showed first.
        const { rows } = await world.database.pool.query(
          "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        );
        return rows.length > 0;
      });
      await other.query('commit');
    } finally {
      other.release();
    }
    expect((await slow).status).toBe('stale');
    expect(await world.fact(id)).toBeUndefined();
  });

  it('is one fact when ten are synced at once', async () => {
    const { id } = await subscribe();
    const results = await Promise.all(Array.from({ length: 10 }, () => world.sync('subscription', id)));
    expect(results.filter(({ status }) => status === 'applied')).toHaveLength(1);
    const { rows } = await world.database.pool.query('select 1 from tollgate.fact_versions where object_id = $1', [id]);
    expect(rows).toHaveLength(1);
  });

  it.each(['canceled', 'incomplete_expired'])('never leaves the status %s', async (status) => {
    const { id, make } = await subscribe({ ...CANCELED, status });
    await world.sync('subscription', id);
    world.stripe.put(make({ status: 'active', canceled_at: null, ended_at: null }));
    expect(await world.sync('subscription', id)).toMatchObject({ status: 'unchanged', reason: 'subscription_ended' });
    expect(await world.fact(id)).toMatchObject({ status });
  });

  it('ends when Stripe answers that there is no such object, and keeps its history', async () => {
    const { id, externalId } = await subscribe();
    await world.sync('subscription', id);
    world.stripe.remove(id);
    expect(await world.sync('subscription', id)).toMatchObject({ status: 'applied', projectId: project });
    const endedAt = (START + 3600) * 1000;
    expect(await world.fact(id)).toMatchObject({ status: 'canceled', endedAt });
    expect(await world.access(project, externalId)).toEqual({ entitled: false, reason: 'canceled' });
    expect(await world.sync('subscription', id)).toMatchObject({ status: 'unchanged' });
    expect(await world.fact(id)).toMatchObject({ endedAt });
  });

  it('that Stripe did not find, as with the key of another account, is believed again when Stripe finds it', async () => {
    const { id, externalId, make } = await subscribe();
    await world.sync('subscription', id);
    world.stripe.remove(id);
    await world.sync('subscription', id);
    world.stripe.put(make());
    expect(await world.sync('subscription', id)).toMatchObject({ status: 'applied' });
    expect(await world.access(project, externalId)).toEqual({ entitled: true, reason: 'subscription_active' });
  });

  it('does not end in live mode because Stripe does not find it: nothing is deleted there, the key is wrong', async () => {
    const { id, externalId } = await subscribe();
    await world.sync('subscription', id);
    world.stripe.remove(id);
    const request = { connectionId: 'default', ref: { type: 'subscription', id }, cause: { type: 'event', id: 'evt' } };
    await expect(syncObject(world.inLiveMode(), request as SyncRequest)).rejects.toMatchObject({
      code: 'stripe_refused',
    });
    expect(await world.access(project, externalId)).toMatchObject({ entitled: true });
  });

  it('with a status that Stripe invents tomorrow grants nothing, and says so loudly', async () => {
    const { id, externalId } = await subscribe({ status: 'hibernating' });
    const lines: string[] = [];
    const log = createLog('error', { write: (line) => void lines.push(line) });
    const request = { connectionId: 'default', ref: { type: 'subscription', id }, cause: { type: 'event', id: 'evt' } };
    await syncObject({ ...world.deps, log }, request as SyncRequest);
    expect(await world.fact(id)).toMatchObject({ status: 'hibernating' });
    expect(await world.access(project, externalId)).toMatchObject({ entitled: false });
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { level: 'error', subscription: id, status: 'hibernating' },
    ]);
  });

  it('that was never known and is not in Stripe is ignored', async () => {
    expect(await world.sync('subscription', 'sub_nowhere')).toMatchObject({
      status: 'ignored',
      reason: 'missing_in_stripe',
    });
  });

  it('stays as it was when Stripe fails, and the failure reaches the caller', async () => {
    const { id, externalId } = await subscribe();
    await world.sync('subscription', id);
    const failure = {
      status: 429,
      body: { error: { type: 'invalid_request_error', code: 'rate_limit', message: 'Slow' } },
    };
    world.stripe.answerNext(`subscriptions/${id}`, failure);
    await expect(world.sync('subscription', id)).rejects.toMatchObject({ statusCode: 429 });
    expect(await world.access(project, externalId)).toMatchObject({ entitled: true });
  });

  it('in a shape that is not understood is refused with the path that does not fit', async () => {
    const { id, make } = await subscribe();
    const broken = make();
    delete broken.items.data[0].current_period_end;
    world.stripe.put(broken);
    await expect(world.sync('subscription', id)).rejects.toMatchObject({
      code: 'stripe_shape_unexpected',
      errors: [{ path: expect.stringMatching(/^items\.data\.0/) }],
    });
    expect(await world.fact(id)).toBeUndefined();
  });

  it('shows every item, also beyond the ten that Stripe nests', async () => {
    const n = ++count;
    await world.addCustomer(project, `user_${n}`, `cus_${n}`);
    const items = Array.from({ length: 12 }, (_, i) => ({
      ...item(`si_${n}_${String(i).padStart(2, '0')}`, price('price_a', 'prod_a')),
      subscription: `sub_${n}`,
    }));
    world.stripe.put(customer(`cus_${n}`), ...items, subscription(`sub_${n}`, `cus_${n}`, items));
    await world.sync('subscription', `sub_${n}`);
    expect(((await world.fact(`sub_${n}`)) as SubscriptionFact).items).toHaveLength(12);
  });

  it('knows its coupons and those of its items', async () => {
    const n = ++count;
    await world.addCustomer(project, `user_${n}`, `cus_${n}`);
    const own = {
      ...item(`si_${n}`, price('price_a', 'prod_a'), { discounts: [`di_item_${n}`] }),
      subscription: `sub_${n}`,
    };
    world.stripe.put(
      customer(`cus_${n}`),
      coupon('co_forever'),
      coupon('co_once', { duration: 'once', percent_off: null, amount_off: 300, currency: 'eur' }),
      discount(`di_sub_${n}`, 'co_forever'),
      discount(`di_item_${n}`, 'co_once', { end: START + DAY }),
      own,
      subscription(`sub_${n}`, `cus_${n}`, [own], { discounts: [`di_sub_${n}`] }),
    );
    await world.sync('subscription', `sub_${n}`);
    const once = { duration: 'once', percentOff: null, amountOff: 300, currency: 'eur', end: (START + DAY) * 1000 };
    expect(await world.fact(`sub_${n}`)).toMatchObject({
      discounts: [{ duration: 'forever', percentOff: 25, amountOff: null, currency: null, end: null }],
      items: [{ discounts: [once] }],
    });
  });

  it('has its prices in the currency that it is paid in, whichever they show', async () => {
    const n = ++count;
    await world.addCustomer(project, `user_${n}`, `cus_${n}`);
    const option = { unit_amount: 900, unit_amount_decimal: '900', custom_unit_amount: null };
    const usd = price(`price_usd_${n}`, 'prod_a', { currency: 'usd' });
    const own = { ...item(`si_${n}`, usd), subscription: `sub_${n}` };
    world.stripe.put(
      { ...usd, currency_options: { eur: option, usd: { ...option, unit_amount: 1000 } } },
      customer(`cus_${n}`),
      own,
      subscription(`sub_${n}`, `cus_${n}`, [own], { currency: 'eur' }),
    );
    await world.sync('subscription', `sub_${n}`);
    const [only] = ((await world.fact(`sub_${n}`)) as SubscriptionFact).items;
    expect(only).toMatchObject({ priceId: `price_usd_${n}`, price: { currency: 'eur', unitAmount: 900 } });

    // A plan of old can be deleted under its subscribers, who keep it.
    for (const gone of [{ id: `price_usd_${n}`, object: 'price', deleted: true }, null]) {
      if (gone === null) world.stripe.remove(`price_usd_${n}`);
      else world.stripe.put(gone);
      await world.sync('subscription', `sub_${n}`);
      expect(await world.fact(`sub_${n}`)).toMatchObject({ status: 'active', items: [{ price: { currency: 'usd' } }] });
    }
  });

  it('has its grace from the oldest open invoice after the last paid one, and never anew', async () => {
    const { id, externalId } = await subscribe({ status: 'past_due' });
    const finalized = (at: number) => ({ status_transitions: { finalized_at: at } });
    world.stripe.put(
      invoice(`in_old_${id}`, id, { created: START - 60 * DAY, ...finalized(START - 60 * DAY) }),
      invoice(`in_paid_${id}`, id, { status: 'paid', created: START - 30 * DAY }),
      invoice(`in_open_${id}`, id, { created: START, ...finalized(START + 60) }),
      invoice(`in_later_${id}`, id, { created: START + DAY, ...finalized(START + DAY) }),
    );
    await world.sync('subscription', id);
    expect(await world.fact(id)).toMatchObject({ pastDueSince: (START + 60) * 1000 });
    expect(await world.access(project, externalId)).toEqual({ entitled: true, reason: 'subscription_grace' });
    world.setNow((START + 8 * DAY) * 1000);
    await world.sync('subscription', id);
    expect(await world.fact(id)).toMatchObject({ pastDueSince: (START + 60) * 1000 });
    expect(await world.access(project, externalId)).toEqual({ entitled: false, reason: 'payment_past_due' });
    world.setNow((START + 3600) * 1000);
  });

  it('gives nothing until what it began with is paid, whatever else is invoiced meanwhile; a renewal makes good for it', async () => {
    const { id, externalId, make } = await subscribe();
    const bill = (name: string, status: string, reason: string, created = START) => {
      const shown = invoice(`in_${id}_${name}`, id, { status, billing_reason: reason, created });
      world.stripe.put(shown, make({ latest_invoice: shown }));
    };
    const answer = async () => {
      await world.sync('subscription', id);
      const { entitled, reason } = await world.access(project, externalId);
      return entitled ? reason : `not: ${reason}`;
    };
    bill('1', 'open', 'subscription_create');
    expect(await answer()).toBe('not: payment_pending');
    bill('2', 'paid', 'subscription_update', START + 1);
    expect(await answer()).toBe('not: payment_pending');
    bill('1', 'void', 'subscription_create');
    bill('3', 'open', 'subscription_cycle', START + 2);
    expect(await answer()).toBe('not: unpaid');
    bill('3', 'paid', 'subscription_cycle', START + 2);
    expect(await answer()).toBe('subscription_active');
    bill('4', 'open', 'subscription_cycle', START + 3);
    expect(await answer()).toBe('subscription_active');
  });

  it('whose invoices are sent to be paid later does not wait for the first', async () => {
    const { id, externalId, make } = await subscribe({ collection_method: 'send_invoice' });
    const sent = invoice(`in_${id}`, id, { status: 'open', billing_reason: 'subscription_create' });
    world.stripe.put(sent, make({ latest_invoice: sent }));
    await world.sync('subscription', id);
    expect(await world.access(project, externalId)).toEqual({ entitled: true, reason: 'subscription_active' });
  });

  it('records which products were tried', async () => {
    const trial = { status: 'trialing', trial_start: START, trial_end: START + 14 * DAY };
    const { id, customerId } = await subscribe(trial);
    await world.sync('subscription', id);
    await world.sync('subscription', id);
    const rows = await world.database.db
      .selectFrom('tollgate.trials')
      .selectAll()
      .where('customer_id', '=', customerId)
      .execute();
    const started_at = new Date(START * 1000);
    expect(rows).toEqual([{ customer_id: customerId, product_id: 'prod_a', subscription_id: id, started_at }]);
  });
});

describe('the owner of a subscription', () => {
  const own = (id: string, cus: string, fields: Json = {}) =>
    subscription(id, cus, [item(`si_${id}`, price('price_a', 'prod_a'))], fields);

  it('is the stamped customer, who is linked to the Stripe customer from then on', async () => {
    const id = await world.addCustomer(project, 'stamped', null);
    const metadata = { tollgate_installation: INSTALLATION, tollgate_project: project, tollgate_customer: id };
    world.stripe.put(customer('cus_stamped'), own('sub_stamped', 'cus_stamped', { metadata }));
    expect(await world.sync('subscription', 'sub_stamped')).toMatchObject({ status: 'applied', customerId: id });
    const row = await customerRow(id);
    expect(row.stripe_customer_id).toBe('cus_stamped');
    // The event's own object is settled by whoever asked; what else waits for the customer is woken.
    expect(await wakes()).toContain('cus_stamped');
    expect(await wakes()).not.toContain('sub_stamped');
  });

  it("is created when the stamp carries the app's own id", async () => {
    const metadata = { tollgate_project: project, tollgate_customer: 'never seen' };
    world.stripe.put(customer('cus_fresh'), own('sub_fresh', 'cus_fresh', { metadata }));
    expect(await world.sync('subscription', 'sub_fresh')).toMatchObject({ status: 'applied', projectId: project });
    expect(await world.access(project, 'never seen')).toMatchObject({ entitled: true });
  });

  it('is unknown while only the price is ours: parked, and applied once the Stripe customer is linked', async () => {
    world.stripe.put(customer('cus_later'), own('sub_later', 'cus_later'));
    expect(await world.sync('subscription', 'sub_later')).toMatchObject({
      status: 'parked',
      reason: 'customer_unknown',
    });
    const id = await world.addCustomer(project, 'later', 'cus_later');
    expect(await world.sync('subscription', 'sub_later')).toMatchObject({ status: 'applied', customerId: id });
  });

  it('is whom the payment link names, which only its session knows', async () => {
    world.stripe.put(
      customer('cus_link'),
      own('sub_link', 'cus_link'),
      session('cs_link', { mode: 'subscription', subscription: 'sub_link', client_reference_id: 'from-link' }),
    );
    expect(await world.sync('subscription', 'sub_link')).toMatchObject({ status: 'applied' });
    expect(await world.access(project, 'from-link')).toMatchObject({ entitled: true });
    // The payer can change the reference: who wrote somebody else's gave him a present, and no more.
    await world.sync('subscription', 'sub_link');
    const row = await world.database.db
      .selectFrom('tollgate.customers')
      .select('stripe_customer_id')
      .where('external_id', '=', 'from-link')
      .executeTakeFirstOrThrow();
    expect(row.stripe_customer_id).toBeNull();
  });

  it('is nobody when neither customer nor price is known', async () => {
    const foreign = subscription('sub_foreign', 'cus_foreign', [item('si_f', price('price_other', 'prod_other'))]);
    world.stripe.put(customer('cus_foreign'), foreign);
    expect(await world.sync('subscription', 'sub_foreign')).toMatchObject({ status: 'ignored', reason: 'not_ours' });
    expect(await world.fact('sub_foreign')).toBeUndefined();
  });

  it('is parked when stamp and Stripe customer name different customers', async () => {
    const stamped = await world.addCustomer(project, 'one', null);
    await world.addCustomer(project, 'other', 'cus_other');
    const metadata = { tollgate_installation: INSTALLATION, tollgate_project: project, tollgate_customer: stamped };
    world.stripe.put(customer('cus_other'), own('sub_conflict', 'cus_other', { metadata }));
    expect(await world.sync('subscription', 'sub_conflict')).toMatchObject({
      status: 'parked',
      reason: 'customer_conflict',
      customerId: null,
    });
    expect(await world.fact('sub_conflict')).toBeUndefined();
  });

  it('is ours no more when the stamp is another installation’s', async () => {
    const metadata = { tollgate_installation: 'elsewhere', tollgate_project: newId('prj') };
    const foreign = subscription('sub_else', 'cus_else', [item('si_e', price('price_other', 'prod_other'))], {
      metadata,
    });
    world.stripe.put(customer('cus_else'), foreign);
    expect(await world.sync('subscription', 'sub_else')).toMatchObject({
      status: 'ignored',
      reason: 'other_installation',
    });
  });
});

async function customerRow(id: string) {
  return await world.database.db
    .selectFrom('tollgate.customers')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
}

async function wakes(): Promise<string[]> {
  const { rows } = await world.database.pool.query(
    `select key from graphile_worker.jobs where key like 'wake:default:%'`,
  );
  return rows.map(({ key }) => key.replace('wake:default:', ''));
}

function permutations<T>(list: readonly T[]): T[][] {
  if (list.length < 2) return [[...list]];
  return list.flatMap((first, index) => permutations(list.toSpliced(index, 1)).map((rest) => [first, ...rest]));
}
