import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { syncObject } from '../../src/mirror/sync-object.ts';
import {
  customer,
  DAY,
  dispute,
  invoice,
  invoicePayment,
  item,
  lineItem,
  paymentIntent,
  price,
  refund,
  START,
  session,
  subscription,
} from '../support/mirror-objects.ts';
import type { Json } from '../support/mirror-stripe.ts';
import { INSTALLATION, type MirrorWorld, startMirrorWorld } from '../support/mirror-world.ts';

let world: MirrorWorld;
let project: string;
let count = 0;

beforeAll(async () => {
  world = await startMirrorWorld();
  world.setNow((START + 5 * DAY) * 1000);
  project = await world.addProject('a');
});
afterAll(() => world.close());

/** A paid one-off checkout of a new customer, put into Stripe. */
async function buy(sessionFields: Json = {}, intentFields: Json = {}) {
  const n = ++count;
  const externalId = `user_${n}`;
  const customerId = await world.addCustomer(project, externalId, `cus_${n}`);
  const ids = { session: `cs_${n}`, intent: `pi_${n}` };
  const oneOff = price('price_a', 'prod_a', { type: 'one_time', recurring: null });
  const line_items_all = [lineItem(`li_${n}`, oneOff)];
  const shared = { customer: `cus_${n}` };
  const make = (changes: Json = {}) => {
    const fields = { ...shared, payment_intent: ids.intent, line_items_all, ...sessionFields, ...changes };
    return session(ids.session, fields);
  };
  const makeIntent = (changes: Json = {}) => paymentIntent(ids.intent, { ...shared, ...intentFields, ...changes });
  world.stripe.put(customer(`cus_${n}`), make(), makeIntent());
  return { ...ids, externalId, customerId, make, makeIntent };
}

async function addSessionRow(id: string, customerId: string, mode = 'payment'): Promise<void> {
  await world.database.db
    .insertInto('tollgate.checkout_sessions')
    .values({
      id,
      project_id: project,
      customer_id: customerId,
      mode,
      url: 'https://checkout.stripe.com/c/pay/x',
      status: 'open',
      payment_status: 'unpaid',
      price_ids: ['price_a'],
      expires_at: new Date((START + DAY) * 1000),
      created_at: new Date(START * 1000),
      updated_at: new Date(START * 1000),
    })
    .execute();
}

async function sessionRow(id: string) {
  return await world.database.db
    .selectFrom('tollgate.checkout_sessions')
    .select(['status', 'payment_status', 'applied'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
}

describe('a one-off purchase', () => {
  it('is kept under its payment intent, whether the session or the payment is looked at', async () => {
    const { session: cs, intent, externalId, customerId } = await buy();
    const applied = { status: 'applied', reason: null, projectId: project, customerId };
    expect(await world.sync('checkout_session', cs)).toEqual(applied);
    expect((await world.sync('payment', intent)).status).toBe('unchanged');
    expect(await world.fact(cs)).toBeUndefined();
    expect(await world.fact(intent)).toEqual({
      kind: 'purchase',
      id: intent,
      checkoutSessionId: cs,
      status: 'paid',
      paidAt: (START + 60) * 1000,
      lines: [{ priceId: 'price_a', productId: 'prod_a', quantity: 1 }],
      currency: 'eur',
      amountMinor: 5000,
      refundedMinor: 0,
      refundedAt: null,
      dispute: null,
    });
    expect(await world.access(project, externalId)).toEqual({ entitled: true, reason: 'purchase' });
  });

  it('marks the session as applied once what was bought is known', async () => {
    const {
      session: cs,
      customerId,
      make,
    } = await buy({ status: 'open', payment_status: 'unpaid', payment_intent: null });
    await addSessionRow(cs, customerId);
    expect((await world.sync('checkout_session', cs)).status).toBe('unchanged');
    expect(await sessionRow(cs)).toEqual({ status: 'open', payment_status: 'unpaid', applied: false });
    world.stripe.put(make({ status: 'complete', payment_status: 'paid', payment_intent: `pi_${count}` }));
    expect((await world.sync('checkout_session', cs)).status).toBe('applied');
    expect(await sessionRow(cs)).toEqual({ status: 'complete', payment_status: 'paid', applied: true });
  });

  it('does not open a session again when an earlier fetch answers last', async () => {
    const {
      session: cs,
      customerId,
      make,
    } = await buy({ status: 'open', payment_status: 'unpaid', payment_intent: null });
    await addSessionRow(cs, customerId);
    const held = world.stripe.holdNext(`checkout/sessions/${cs}`);
    const slow = world.sync('checkout_session', cs);
    await held.arrived;
    world.stripe.put(make({ status: 'complete', payment_status: 'paid', payment_intent: `pi_${count}` }));
    await world.sync('checkout_session', cs);
    held.release();
    expect((await slow).status).toBe('stale');
    expect(await sessionRow(cs)).toEqual({ status: 'complete', payment_status: 'paid', applied: true });
  });

  it('grants nothing while its payment is under way, and all of it once that arrives', async () => {
    const {
      session: cs,
      intent,
      externalId,
      customerId,
      make,
      makeIntent,
    } = await buy({ payment_status: 'unpaid' }, { status: 'processing', amount_received: 0 });
    await addSessionRow(cs, customerId);
    await world.sync('checkout_session', cs);
    expect(await world.access(project, externalId)).toEqual({ entitled: false, reason: 'payment_pending' });
    expect(await sessionRow(cs)).toEqual({ status: 'complete', payment_status: 'unpaid', applied: false });
    world.stripe.put(make({ payment_status: 'paid' }), makeIntent({ status: 'succeeded', amount_received: 5000 }));
    await world.sync('checkout_session', cs);
    expect(await world.fact(intent)).toMatchObject({ status: 'paid' });
    expect(await world.access(project, externalId)).toEqual({ entitled: true, reason: 'purchase' });
    expect(await sessionRow(cs)).toEqual({ status: 'complete', payment_status: 'paid', applied: true });
  });

  it('that was paid by a method that failed later grants nothing', async () => {
    const {
      session: cs,
      intent,
      externalId,
      makeIntent,
    } = await buy({ payment_status: 'unpaid' }, { status: 'processing', amount_received: 0 });
    await world.sync('checkout_session', cs);
    world.stripe.put(makeIntent({ status: 'requires_payment_method', amount_received: 0 }));
    await world.sync('payment', intent);
    expect(await world.access(project, externalId)).toEqual({ entitled: false, reason: 'unpaid' });
  });

  it('that cost nothing is kept under its session', async () => {
    const { session: cs, externalId } = await buy({
      payment_intent: null,
      payment_status: 'no_payment_required',
      amount_total: 0,
    });
    expect((await world.sync('checkout_session', cs)).status).toBe('applied');
    expect(await world.fact(cs)).toMatchObject({ id: cs, status: 'paid', amountMinor: 0 });
    expect(await world.access(project, externalId)).toEqual({ entitled: true, reason: 'purchase' });
    expect((await world.sync('checkout_session', cs)).status).toBe('unchanged');
    world.stripe.remove(cs);
    expect((await world.sync('checkout_session', cs)).status).toBe('applied');
    expect(await world.access(project, externalId)).toMatchObject({ entitled: false });
  });

  it('is none while the page is open, whatever card was tried', async () => {
    const { intent } = await buy(
      { status: 'open', payment_status: 'unpaid' },
      { status: 'requires_payment_method', amount_received: 0 },
    );
    expect(await world.sync('payment', intent)).toMatchObject({ status: 'ignored', reason: 'nothing_bought' });
    expect(await world.fact(intent)).toBeUndefined();
  });

  it('ends with a full refund, and comes back when the refund fails', async () => {
    const { intent, externalId } = await buy();
    await world.sync('payment', intent);
    world.stripe.put(refund(`re_${intent}`, intent));
    expect((await world.sync('payment', intent)).status).toBe('applied');
    expect(await world.fact(intent)).toMatchObject({ refundedMinor: 5000, refundedAt: (START + DAY) * 1000 });
    expect(await world.access(project, externalId)).toEqual({ entitled: false, reason: 'refunded' });
    world.stripe.put(refund(`re_${intent}`, intent, { status: 'failed' }));
    await world.sync('payment', intent);
    expect(await world.fact(intent)).toMatchObject({ refundedMinor: 0, refundedAt: null });
    expect(await world.access(project, externalId)).toEqual({ entitled: true, reason: 'purchase' });
  });

  it('keeps its access after a partial refund', async () => {
    const { intent, externalId } = await buy();
    world.stripe.put(refund(`re_${intent}`, intent, { amount: 1000 }));
    await world.sync('payment', intent);
    expect(await world.fact(intent)).toMatchObject({ refundedMinor: 1000 });
    expect(await world.access(project, externalId)).toMatchObject({ entitled: true });
  });

  it('is suspended by a dispute, comes back when it is won, and is gone when it is lost', async () => {
    const { intent, externalId } = await buy();
    world.stripe.put(dispute(`dp_${intent}`, intent));
    await world.sync('payment', intent);
    expect(await world.access(project, externalId)).toEqual({ entitled: false, reason: 'disputed' });
    world.stripe.put(dispute(`dp_${intent}`, intent, { status: 'won' }));
    await world.sync('payment', intent);
    expect(await world.access(project, externalId)).toEqual({ entitled: true, reason: 'purchase' });
    world.stripe.put(dispute(`dp_${intent}`, intent, { status: 'lost' }));
    await world.sync('payment', intent);
    expect(await world.access(project, externalId)).toEqual({ entitled: false, reason: 'disputed' });
  });

  it('loses one purchase to a refund and keeps the other', async () => {
    const first = await buy();
    await world.sync('payment', first.intent);
    const customerId = first.makeIntent().customer;
    const line_items_all = [lineItem('li_second', price('price_a', 'prod_a'))];
    world.stripe.put(
      session('cs_second', { customer: customerId, payment_intent: 'pi_second', line_items_all }),
      paymentIntent('pi_second', { customer: customerId }),
    );
    await world.sync('payment', 'pi_second');
    world.stripe.put(refund('re_second', 'pi_second'));
    await world.sync('payment', 'pi_second');
    expect(await world.access(project, first.externalId)).toEqual({ entitled: true, reason: 'purchase' });
  });

  it('keeps the refund when the fetch from before it answers last', async () => {
    const { intent, externalId } = await buy();
    const held = world.stripe.holdNext(`refunds`);
    const slow = world.sync('payment', intent);
    await held.arrived;
    world.stripe.put(refund(`re_${intent}`, intent));
    await world.sync('payment', intent);
    held.release();
    expect((await slow).status).toBe('stale');
    expect(await world.access(project, externalId)).toEqual({ entitled: false, reason: 'refunded' });
  });

  it('ends when Stripe has the payment no more', async () => {
    const { intent, externalId } = await buy();
    await world.sync('payment', intent);
    world.stripe.remove(intent);
    expect((await world.sync('payment', intent)).status).toBe('applied');
    expect(await world.access(project, externalId)).toMatchObject({ entitled: false });
  });

  it('does not end in live mode, where no payment is ever deleted', async () => {
    const { intent, externalId } = await buy();
    await world.sync('payment', intent);
    world.stripe.remove(intent);
    const request = { connectionId: 'default', cause: { type: 'event', id: 'evt' } } as const;
    const sync = syncObject(world.inLiveMode(), { ...request, ref: { type: 'payment', id: intent } });
    await expect(sync).rejects.toMatchObject({ code: 'stripe_refused' });
    expect(await world.access(project, externalId)).toMatchObject({ entitled: true });
  });

  it('of a guest through a payment link is that of the customer whom the link names', async () => {
    const line_items_all = [lineItem('li_guest', price('price_a', 'prod_a'))];
    const link = { payment_intent: 'pi_guest', client_reference_id: 'guest-7', line_items_all };
    world.stripe.put(session('cs_guest', link), paymentIntent('pi_guest'));
    expect((await world.sync('checkout_session', 'cs_guest')).status).toBe('applied');
    expect(await world.access(project, 'guest-7')).toEqual({ entitled: true, reason: 'purchase' });
  });

  it('with conflicting stamps is parked', async () => {
    const { intent, makeIntent } = await buy();
    const stamped = await world.addCustomer(project, `other_${intent}`, null);
    const metadata = { tollgate_installation: INSTALLATION, tollgate_project: project, tollgate_customer: stamped };
    world.stripe.put(makeIntent({ metadata }));
    expect(await world.sync('payment', intent)).toMatchObject({ status: 'parked', reason: 'customer_conflict' });
    expect(await world.fact(intent)).toBeUndefined();
  });
});

describe('a payment', () => {
  it("of a subscription's invoice brings the subscription up to date", async () => {
    const customerId = await world.addCustomer(project, 'renewing', 'cus_renewing');
    const items = [item('si_renewing', price('price_a', 'prod_a'))];
    world.stripe.put(
      customer('cus_renewing'),
      subscription('sub_renewing', 'cus_renewing', items),
      invoice('in_renewing', 'sub_renewing', { status: 'paid' }),
      invoicePayment('inpay_renewing', 'in_renewing', 'pi_renewing'),
      paymentIntent('pi_renewing', { customer: 'cus_renewing' }),
    );
    expect(await world.sync('payment', 'pi_renewing')).toMatchObject({ status: 'applied', customerId });
    expect(await world.access(project, 'renewing')).toEqual({ entitled: true, reason: 'subscription_active' });
    expect(await world.fact('pi_renewing')).toBeUndefined();
  });

  it('of an invoice that is disputed stays so, when the fetch from before it answers last', async () => {
    await world.addCustomer(project, 'racing', 'cus_racing');
    const line = {
      id: 'il_racing',
      amount: 5000,
      quantity: 1,
      period: { start: START, end: START + 30 * DAY },
      pricing: { price_details: { price: 'price_a', product: 'prod_a' }, type: 'price_details' },
      parent: { subscription_item_details: { subscription: 'sub_racing', subscription_item: 'si_racing' } },
    };
    world.stripe.put(
      customer('cus_racing'),
      subscription('sub_racing', 'cus_racing', [item('si_racing', price('price_a', 'prod_a'))]),
      invoice('in_racing', 'sub_racing', { status: 'paid', lines: { data: [line], has_more: false } }),
      invoicePayment('inpay_racing', 'in_racing', 'pi_racing'),
      paymentIntent('pi_racing', { customer: 'cus_racing' }),
      dispute('dp_racing', 'pi_racing', { created: START, status: 'warning_needs_response' }),
    );
    const held = world.stripe.holdNext('disputes');
    const slow = world.sync('payment', 'pi_racing');
    await held.arrived;
    world.stripe.put(dispute('dp_racing', 'pi_racing', { created: START }));
    expect((await world.sync('payment', 'pi_racing')).status).toBe('applied');
    held.release();
    // Its subscription was looked at anew; of the payment the newer state stands.
    await slow;
    expect(await world.fact('pi_racing')).toMatchObject({ dispute: { status: 'needs_response' } });
    expect(await world.access(project, 'racing')).toEqual({ entitled: false, reason: 'disputed' });
  });

  /** A subscription that nobody here knows, paid so many seconds ago. @returns what was asked of Stripe to know it */
  async function heardOf(name: string, paidAgo: number): Promise<string[]> {
    const [sub, inv, cus] = [`sub_${name}`, `in_${name}`, `cus_${name}`];
    const payment = invoicePayment(`inpay_${name}`, inv, `pi_${name}`);
    payment.status_transitions.paid_at = Math.floor(world.deps.clock.now() / 1000) - paidAgo;
    const paid = { status: 'paid', billing_reason: 'subscription_create', payments: { data: [payment] } };
    const items = [item(`si_${name}`, price('price_a', 'prod_a'))];
    world.stripe.put(customer(cus), subscription(sub, cus, items, { latest_invoice: inv }), invoice(inv, sub, paid));
    const before = world.stripe.requests.length;
    expect(await world.sync('subscription', sub)).toMatchObject({ status: 'applied' });
    return world.stripe.requests.slice(before).map((request) => request.split('?')[0] as string);
  }

  it('of a while ago costs one call more when its subscription becomes known: whether it was refunded or disputed', async () => {
    await world.addCustomer(project, 'paid', 'cus_paid');
    expect(await heardOf('paid', 3600)).toEqual(['GET subscriptions/sub_paid', 'GET charges']);
  });

  it('of which an event was ignored while its subscription became known is looked at again', async () => {
    await world.addCustomer(project, 'quick', 'cus_quick');
    const charge = { object: 'charge', customer: 'cus_quick', amount_refunded: 0, disputed: false, paid: true };
    world.stripe.put({ ...charge, id: 'ch_quick', payment_intent: 'pi_quick' });
    const held = world.stripe.holdNext('charges');
    const known = heardOf('quick', 3600);
    await held.arrived;
    const at = { created_at: new Date(), received_at: new Date() };
    const told = {
      livemode: false,
      type: 'charge.dispute.created',
      object_type: 'payment',
      object_id: 'pi_quick',
      status: 'ignored',
    } as const;
    await world.database.db
      .insertInto('tollgate.events')
      .values({ connection_id: 'default', id: 'evt_quick', payload: '{}', ...at, ...told })
      .execute();
    held.release();
    await known;
    const { rows } = await world.database.pool.query('select key from graphile_worker.jobs where key like $1', [
      '%quick',
    ]);
    expect(rows).toEqual([{ key: 'wake:default:pi_quick' }]);
  });

  it('of the latest invoice is written down with its subscription, in the one call that fetches that', async () => {
    const customerId = await world.addCustomer(project, 'paying', 'cus_paying');
    expect(await heardOf('paying', 10)).toEqual(['GET subscriptions/sub_paying']);
    const rows = await world.database.db
      .selectFrom('tollgate.payments')
      .select(['customer_id', 'status', 'amount', 'currency', 'invoice_id', 'subscription_id'])
      .where('id', '=', 'pi_paying')
      .execute();
    expect(rows).toEqual([
      {
        customer_id: customerId,
        status: 'paid',
        amount: 5000,
        currency: 'eur',
        invoice_id: 'in_paying',
        subscription_id: 'sub_paying',
      },
    ]);
  });

  it('that no checkout made is ignored', async () => {
    world.stripe.put(paymentIntent('pi_alone'));
    expect(await world.sync('payment', 'pi_alone')).toMatchObject({
      status: 'ignored',
      reason: 'payment_without_checkout',
    });
  });
});

describe('a subscription session', () => {
  it('brings its subscription, and marks itself as applied', async () => {
    const customerId = await world.addCustomer(project, 'subscribing', null);
    await addSessionRow('cs_sub', customerId, 'subscription');
    world.stripe.put(
      customer('cus_sub'),
      subscription('sub_of_session', 'cus_sub', [item('si_sub', price('price_a', 'prod_a'))]),
      session('cs_sub', { mode: 'subscription', subscription: 'sub_of_session', customer: 'cus_sub' }),
    );
    expect(await world.sync('checkout_session', 'cs_sub')).toMatchObject({ status: 'applied', customerId });
    expect(await sessionRow('cs_sub')).toEqual({ status: 'complete', payment_status: 'paid', applied: true });
    expect(await world.access(project, 'subscribing')).toMatchObject({ entitled: true });
    const { rows } = await world.database.pool.query(
      `select 1 from graphile_worker.jobs where key = 'wake:default:sub_of_session'`,
    );
    expect(rows).toHaveLength(1);
  });

  it('also holds what was bought once and for all beside the subscription', async () => {
    const customerId = await world.addCustomer(project, 'mixed', 'cus_mixed');
    await addSessionRow('cs_mixed', customerId, 'subscription');
    const monthly = price('price_plain', 'prod_plain');
    const lifetime = price('price_a', 'prod_a', { type: 'one_time', recurring: null });
    world.stripe.put(
      customer('cus_mixed'),
      subscription('sub_mixed', 'cus_mixed', [item('si_mixed', monthly)]),
      session('cs_mixed', {
        mode: 'subscription',
        subscription: 'sub_mixed',
        invoice: 'in_mixed',
        customer: 'cus_mixed',
        line_items_all: [lineItem('li_mixed_1', monthly), lineItem('li_mixed_2', lifetime)],
      }),
      invoice('in_mixed', 'sub_mixed', { status: 'paid' }),
      invoicePayment('inpay_mixed', 'in_mixed', 'pi_mixed'),
      paymentIntent('pi_mixed', { customer: 'cus_mixed' }),
    );
    expect(await world.sync('checkout_session', 'cs_mixed')).toMatchObject({ status: 'applied', customerId });
    expect(await world.fact('sub_mixed')).toMatchObject({ items: [{ priceId: 'price_plain' }] });
    expect(await world.fact('cs_mixed')).toMatchObject({
      status: 'paid',
      amountMinor: 5000,
      lines: [{ priceId: 'price_a', productId: 'prod_a', quantity: 1 }],
    });
    expect(await world.access(project, 'mixed')).toEqual({ entitled: true, reason: 'purchase' });
    expect(await sessionRow('cs_mixed')).toMatchObject({ applied: true });

    world.stripe.put(refund('re_mixed', 'pi_mixed'));
    expect(await world.sync('payment', 'pi_mixed')).toMatchObject({ status: 'applied', customerId });
    expect(await world.access(project, 'mixed')).toEqual({ entitled: false, reason: 'refunded' });
    expect(await world.fact('sub_mixed')).toMatchObject({ status: 'active' });
  });

  it('that nobody here made and that sold nothing of ours is ignored', async () => {
    world.stripe.put(session('cs_foreign', { mode: 'setup', payment_status: 'no_payment_required' }));
    expect(await world.sync('checkout_session', 'cs_foreign')).toMatchObject({
      status: 'ignored',
      reason: 'nothing_bought',
    });
  });
});
