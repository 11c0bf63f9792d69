import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { syncObject } from '../../src/mirror/sync-object.ts';
import { invoices } from '../../src/reconciliation/invoices.ts';
import type { Look } from '../../src/reconciliation/kind.ts';
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

/** An operator's word. */
async function attach(subscriptionId: string, customerId: string): Promise<void> {
  const word = { project_id: project, customer_id: customerId, reason: 'Theirs', actor: 'ada', created_at: new Date() };
  await world.database.db
    .insertInto('tollgate.attachments')
    .values({ connection_id: 'default', object_id: subscriptionId, ...word })
    .onConflict((conflict) => conflict.columns(['connection_id', 'object_id']).doUpdateSet(word))
    .execute();
}

async function attachAndSync(subscriptionId: string, customerId: string): Promise<void> {
  await attach(subscriptionId, customerId);
  expect(await world.sync('subscription', subscriptionId)).toMatchObject({ status: 'applied', customerId });
}

const made = { created: START + 600 };
const disputed = { entitled: false, reason: 'disputed' };

/** One payment of two subscriptions of one Stripe customer, who is the first of two customers. */
async function paidForTwo(name: string): Promise<{ mine: string; theirs: string }> {
  const mine = await world.addCustomer(project, `mine_${name}`, `cus_${name}`);
  const theirs = await world.addCustomer(project, `theirs_${name}`);
  world.stripe.put(customer(`cus_${name}`), paymentIntent(`pi_${name}`));
  for (const n of [1, 2]) {
    const [sub, inv, si] = [`sub_${name}_${n}`, `in_${name}_${n}`, `si_${name}_${n}`];
    const line = {
      id: `il_${n}`,
      amount: 5000,
      period: { start: START, end: START + 30 * DAY },
      pricing: { price_details: { price: 'price_a', product: 'prod_a' } },
      parent: { subscription_item_details: { subscription: sub, subscription_item: si } },
    };
    const payment = invoicePayment(`inpay_${name}_${n}`, inv, `pi_${name}`);
    const paid = { status: 'paid', billing_reason: 'subscription_create', payments: { data: [payment] } };
    world.stripe.put(
      subscription(sub, `cus_${name}`, [item(si, price('price_a', 'prod_a'))], { latest_invoice: inv }),
      invoice(inv, sub, { ...paid, lines: { data: [line], has_more: false } }),
      payment,
    );
  }
  return { mine, theirs };
}

const accessOfBoth = async (name: string) => [
  await world.access(project, `mine_${name}`),
  await world.access(project, `theirs_${name}`),
];

function disputeShared(name: string): void {
  const charge = { id: `ch_${name}`, object: 'charge', customer: `cus_${name}`, payment_intent: `pi_${name}` };
  world.stripe.put({ ...charge, amount_refunded: 0, disputed: true, paid: true });
  world.stripe.put(dispute(`dp_${name}`, `pi_${name}`, made));
}

/** Whose fact it is. */
async function ownerOf(id: string): Promise<string | undefined> {
  const facts = world.database.db.selectFrom('tollgate.facts').where('object_id', '=', id);
  return (await facts.select('customer_id').executeTakeFirst())?.customer_id;
}

/** Whose the payment of two is among the facts and in the ledger, and whose its dispute. */
async function ownersInLedger(id: string): Promise<(string | undefined)[]> {
  const { db } = world.database;
  const row = db.selectFrom('tollgate.payments').select('customer_id').where('id', '=', id);
  const fought = db.selectFrom('tollgate.disputes').select('customer_id').where('payment_id', '=', id);
  return [
    await ownerOf(id),
    (await row.executeTakeFirst())?.customer_id,
    (await fought.executeTakeFirst())?.customer_id,
  ];
}

/** Compares the invoices of a payment of two, each by itself. @returns those that differed and were repaired */
async function repairInvoices(name: string): Promise<string[]> {
  const { db, connections } = world.deps;
  const look: Look = {
    db,
    connection: connections.get('default'),
    scope: { projectId: null, customerId: null },
    ask: (_, run) => run(),
  };
  const repaired: string[] = [];
  for (const id of [`in_${name}_1`, `in_${name}_2`]) {
    if ((await invoices.compareOne(look, id)).status !== 'drift') continue;
    await world.sync('invoice', id);
    repaired.push(id);
  }
  return repaired;
}

/** Syncs an object once more where somebody asked for it. */
async function syncIfAsked(id: string): Promise<void> {
  const { rows } = await world.database.pool.query(
    'delete from graphile_worker._private_jobs where key = $1 returning payload',
    [`sync:default:${id}`],
  );
  for (const { payload } of rows) await syncObject(world.deps, payload);
}

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

  it('that paid for subscriptions of two customers bars both, whoever has it, and gives both back', async () => {
    const { mine, theirs } = await paidForTwo('both');
    world.stripe.put(dispute('dp_both', 'pi_both', made));
    const both = () => accessOfBoth('both');
    expect(await world.sync('payment', 'pi_both')).toMatchObject({ status: 'applied', customerId: mine });
    await attachAndSync('sub_both_2', theirs);
    expect(await both()).toEqual([disputed, disputed]);
    await attachAndSync('sub_both_1', theirs);
    expect(await both()).toEqual([{ entitled: false, reason: 'no_source' }, disputed]);
    await attachAndSync('sub_both_1', mine);
    expect(await both()).toEqual([disputed, disputed]);
    const standing = { entitled: true, reason: 'subscription_active' };
    world.stripe.put(dispute('dp_both', 'pi_both', { ...made, status: 'won' }));
    await world.sync('payment', 'pi_both');
    expect(await both()).toEqual([standing, standing]);
    world.stripe.put(dispute('dp_both', 'pi_both', { ...made, status: 'lost' }));
    await world.sync('payment', 'pi_both');
    expect(await both()).toEqual([disputed, disputed]);
  });

  it.each([
    ['its dispute', 'payment', 'pi_told'],
    ['the second subscription', 'subscription', 'sub_found_2'],
  ] as const)(
    'that paid for subscriptions of two bars both when %s tells of it while only the first one is known',
    async (_, type, id) => {
      const name = id.split('_')[1] as string;
      const { mine, theirs } = await paidForTwo(name);
      expect(await world.sync('subscription', `sub_${name}_1`)).toMatchObject({ status: 'applied', customerId: mine });
      await attach(`sub_${name}_2`, theirs);
      disputeShared(name);
      await world.sync(type, id);
      await syncIfAsked(`pi_${name}`);
      expect(await accessOfBoth(name)).toEqual([disputed, disputed]);
    },
  );

  it('that paid for subscriptions of two stays with whoever has it, when both become known at once', async () => {
    const { mine, theirs } = await paidForTwo('twice');
    await attach('sub_twice_2', theirs);
    disputeShared('twice');
    const holds = [world.stripe.holdNext('disputes'), world.stripe.holdNext('disputes')] as const;
    const first = world.sync('subscription', 'sub_twice_1');
    await holds[0].arrived;
    const second = world.sync('subscription', 'sub_twice_2');
    await holds[1].arrived;
    holds[0].release();
    expect(await first).toMatchObject({ status: 'applied', customerId: mine });
    holds[1].release();
    expect(await second).toMatchObject({ status: 'applied', customerId: theirs });
    expect(await ownerOf('pi_twice')).toBe(mine);
    await syncIfAsked('pi_twice');
    expect(await ownerOf('pi_twice')).toBe(mine);
    expect(await accessOfBoth('twice')).toEqual([disputed, disputed]);
  });

  it.each([1, 2])(
    'that paid for subscriptions of two is whole in the ledger of one of them, whichever is moved (%i)',
    async (n) => {
      const name = `whole${n}`;
      const { mine, theirs } = await paidForTwo(name);
      disputeShared(name);
      expect(await world.sync('payment', `pi_${name}`)).toMatchObject({ status: 'applied', customerId: mine });
      await attachAndSync(`sub_${name}_${n}`, theirs);
      const [first, ...others] = await ownersInLedger(`pi_${name}`);
      expect(others).toEqual([first, first]);
      expect(await repairInvoices(name)).toEqual([]);
      expect(await ownersInLedger(`pi_${name}`)).toEqual([first, first, first]);
      await attachAndSync(`sub_${name}_${3 - n}`, theirs);
      expect(await ownersInLedger(`pi_${name}`)).toEqual([theirs, theirs, theirs]);
      expect(await repairInvoices(name)).toEqual([]);
    },
  );

  it.each([1, 2])(
    'that paid for subscriptions of two and simply went through is no drift that comes back (%i)',
    async (n) => {
      const name = `plain${n}`;
      const { theirs } = await paidForTwo(name);
      for (const sub of [1, 2]) await world.sync('subscription', `sub_${name}_${sub}`);
      await attachAndSync(`sub_${name}_${n}`, theirs);
      await repairInvoices(name);
      expect(await repairInvoices(name)).toEqual([]);
    },
  );

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
