/** Payments, refunds and disputes through the whole service: events in any order, the policy, the ledger, reconciliation. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Client } from '../support/client.ts';
import { about, quiet, reconcile } from '../support/reconciling.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

let tollgate: Tollgate;
let app: Client;
let monthly: string;
let life: string;

const UNRULY = { duplicate: 1, shuffle: 1, seed: 11 };

beforeAll(async () => {
  tollgate = await startTollgate({ callsPerSecond: null });
  app = tollgate.secret;
  await app.post('/features', { code: 'pro', name: 'Pro', type: 'boolean' });
  const { body: plan } = await app.post('/products', { name: 'Plan', features: [{ code: 'pro' }] });
  const price = { product: plan.id, currency: 'usd', unit_amount: 1000, lookup_key: 'monthly' };
  monthly = (await app.post('/prices', { ...price, recurring: { interval: 'month' } })).body.id;
  const once = { product: plan.id, currency: 'usd', unit_amount: 9900, lookup_key: 'life' };
  life = (await app.post('/prices', once)).body.id;
  // Every event comes twice, and none where it belongs.
  tollgate.sandbox.control.setFaults(UNRULY);
  await quiet(tollgate);
});
afterAll(() => tollgate.close());

async function buy(customerId: string, what: string | string[] = 'monthly') {
  const urls = { success_url: 'http://localhost/done', cancel_url: 'http://localhost/' };
  const sold = typeof what === 'string' ? { lookup_key: what } : { line_items: what.map((price) => ({ price })) };
  const { body } = await app.post('/checkout/sessions', { customer_id: customerId, ...sold, ...urls });
  tollgate.sandbox.control.payCheckout(body.id);
  const session = await tollgate.stripe.checkout.sessions.retrieve(body.id);
  if (session.mode === 'payment') return { session: body.id, payment: String(session.payment_intent) };
  const { data } = await tollgate.stripe.invoicePayments.list({ invoice: String(session.invoice) });
  return { session: body.id, payment: String(data[0]?.payment.payment_intent) };
}

/** Everything that Stripe had to say has been heard and worked through. */
async function heard(): Promise<void> {
  await tollgate.sandbox.control.settled();
  await quiet(tollgate);
  // What happened in this second is not over before the next.
  tollgate.sandbox.control.advance({ seconds: 2 });
}

const decision = async (customerId: string) => {
  const { entitled, reason } = (await app.get(`/check?customer_id=${customerId}&feature=pro`)).body;
  return entitled ? reason : `not: ${reason}`;
};
const paymentsOf = async (customerId: string, query = '') =>
  (await app.get(`/customers/${customerId}/payments${query}`)).body;
const setPolicy = async (access_policy: object) => {
  const answer = await tollgate.admin.patch(`/admin/projects/${tollgate.project.id}`, { access_policy });
  expect(answer.status).toBe(200);
  await quiet(tollgate);
};

describe('a subscription whose payment is fought over', () => {
  test('is one payment with its refunds and its dispute, and explains itself, whatever order events come in', async () => {
    const { payment } = await buy('ada');
    const { control } = tollgate.sandbox;
    control.refund(payment, 200);
    control.failRefund(control.refund(payment, 300).id);
    const dispute = control.dispute(payment);
    await heard();
    expect(await decision('ada')).toBe('not: disputed');
    const { data, has_more } = await paymentsOf('ada');
    expect(has_more).toBe(false);
    expect(data).toMatchObject([
      {
        object: 'payment',
        id: payment,
        status: 'paid',
        amount: { currency: 'usd', amount: 1000 },
        paid_at: expect.any(String),
        charge_id: expect.stringMatching(/^ch_/),
        paid_for: {
          subscription_id: expect.stringMatching(/^sub_/),
          invoice_id: expect.stringMatching(/^in_/),
          period_start: expect.any(String),
          period_end: expect.any(String),
          lines: [{ price: monthly, product: expect.stringMatching(/^prod_/), quantity: 1 }],
        },
        refunds: expect.arrayContaining([
          expect.objectContaining({ status: 'succeeded', amount: { currency: 'usd', amount: 200 } }),
          expect.objectContaining({ status: 'failed', amount: { currency: 'usd', amount: 300 } }),
        ]),
        disputes: [{ id: dispute.id, status: 'needs_response', reason: 'fraudulent' }],
      },
    ]);
    expect(data[0].refunds).toHaveLength(2);

    const explained = await app.get('/explain?customer_id=ada&feature=pro');
    expect(explained.body.sources).toMatchObject([
      { verdict: 'barred', reason: 'disputed', barred: [{ reason: 'disputed', payment }] },
    ]);
    expect(explained.body.sources[0].note).toContain(payment);

    control.closeDispute(dispute.id, 'won');
    await heard();
    expect(await decision('ada')).toBe('subscription_active');
    expect((await app.get('/explain?customer_id=ada&feature=pro')).body.sources).toMatchObject([{ barred: [] }]);
  });

  test('is judged anew with each change of the policy', async () => {
    const { payment } = await buy('bea');
    tollgate.sandbox.control.refund(payment);
    await heard();
    expect(await decision('bea')).toBe('subscription_active');
    await setPolicy({ subscription_refund: 'revoke_period' });
    expect(await decision('bea')).toBe('not: refunded');
    expect((await app.get('/entitlements/history?customer_id=bea')).body.data[0].cause.type).toBe('policy');
    await setPolicy({ subscription_refund: 'ignore' });
    expect(await decision('bea')).toBe('subscription_active');

    const other = await buy('bob');
    tollgate.sandbox.control.dispute(other.payment);
    await heard();
    expect(await decision('bob')).toBe('not: disputed');
    await setPolicy({ dispute: 'keep' });
    expect(await decision('bob')).toBe('subscription_active');
    await setPolicy({ dispute: 'suspend' });
    expect(await decision('bob')).toBe('not: disputed');
  });
});

describe('an early event', () => {
  test('about a dispute waits until it is known whose subscription it was, and then counts', async () => {
    const { sandbox } = tollgate;
    const { customer, payment } = await subscribeByHand();
    sandbox.control.dispute(payment);
    const statuses = async () =>
      (await tollgate.admin.get(`/admin/events?type=charge.dispute.created&limit=100`)).body.data
        .filter((event: { object_id: string }) => event.object_id === payment)
        .map((event: { status: string }) => event.status);
    await tollgate.until(async () => (await statuses()).includes('parked'), 10_000, 'the dispute is parked');
    expect((await app.get('/customers/cleo/payments')).status).toBe(404);

    await app.put('/customers/cleo', { stripe_customer_id: customer });
    await tollgate.until(async () => (await statuses()).includes('processed'), 10_000, 'the dispute is processed');
    sandbox.control.advance({ seconds: 2 });
    expect(await decision('cleo')).toBe('not: disputed');
    expect((await paymentsOf('cleo')).data).toMatchObject([{ id: payment, disputes: [{ status: 'needs_response' }] }]);
    await heard();
  });
});

/** A subscription that somebody made in Stripe's dashboard, and its payment. */
async function subscribeByHand() {
  const { stripe } = tollgate;
  const { id: customer } = await stripe.customers.create();
  const { id: card } = await stripe.paymentMethods.attach('pm_card_visa', { customer });
  const items = [{ price: monthly }];
  const subscription = await stripe.subscriptions.create({ customer, items, default_payment_method: card });
  const { data } = await stripe.invoicePayments.list({ invoice: String(subscription.latest_invoice) });
  return { customer, subscription: subscription.id, payment: String(data[0]?.payment.payment_intent) };
}

/** One that is parked, since nobody can say whose it is. */
async function parkedByHand() {
  const made = await subscribeByHand();
  await heard();
  const { body } = await tollgate.admin.get(`/admin/parked?object_id=${made.subscription}`);
  return {
    ...made,
    attach: async (customerId: string, more: object = {}) =>
      await tollgate.admin.post(`/admin/parked/${body.data[0]?.id}/attach`, {
        project_id: tollgate.project.id,
        customer_id: customerId,
        reason: 'It is theirs',
        ...more,
      }),
  };
}

/** Meanwhile Stripe does not say what became of a payment. */
async function whilePaymentsCannotBeRead(act: () => Promise<void>): Promise<void> {
  const { control } = tollgate.sandbox;
  for (const path of ['disputes', 'refunds', 'charges', 'payment_intents', 'invoice_payments']) {
    control.failRequests({ path: `/v1/${path}`, times: 1_000, outcome: 500 });
  }
  try {
    await act();
  } finally {
    control.clearFaults();
    control.setFaults(UNRULY);
  }
}

/** How often a customer has gained the feature, be it for a moment. */
async function timesGained(customerId: string): Promise<number> {
  const { body } = await app.get(`/entitlements/history?customer_id=${customerId}&limit=100`);
  const changes: { change: string }[] = body.data.flatMap((version: { changes: object[] }) => version.changes);
  return changes.filter(({ change }) => change === 'gained').length;
}

describe('a subscription that becomes somebody’s', () => {
  test('gives nobody access for a moment, when its payment had been disputed before', async () => {
    const { payment, attach } = await parkedByHand();
    tollgate.sandbox.control.dispute(payment);
    await heard();
    await whilePaymentsCannotBeRead(async () => {
      const { body } = await attach('kim');
      expect(body.sync).toEqual({ status: 'pending', reason: 'stripe_unavailable' });
      expect(await decision('kim')).toBe('not: no_source');
    });
    expect(await attach('kim')).toMatchObject({ status: 200 });
    expect(await decision('kim')).toBe('not: disputed');
    await heard();
    expect(await decision('kim')).toBe('not: disputed');
    expect(await timesGained('kim')).toBe(0);
    expect((await paymentsOf('kim')).data).toMatchObject([{ id: payment, disputes: [{ status: 'needs_response' }] }]);
    expect((await reconcile(tollgate)).drifts).toEqual([]);
  });

  test.each([
    ['whose events came', {}],
    ['of which no event came', { drop: 1 }],
  ])('gives nobody access for a moment, when its Stripe customer is linked after a dispute %s', async (_, faults) => {
    const externalId = `link_${Object.keys(faults).length}`;
    const { customer, payment } = await parkedByHand();
    tollgate.sandbox.control.setFaults(faults);
    tollgate.sandbox.control.dispute(payment);
    await heard();
    await app.put(`/customers/${externalId}`, { stripe_customer_id: customer });
    tollgate.sandbox.control.setFaults({ ...UNRULY, drop: 0 });
    await heard();
    await tollgate.until(async () => (await decision(externalId)) === 'not: disputed');
    expect(await timesGained(externalId)).toBe(0);
  });
});

describe('a subscription that goes to another customer', () => {
  test('takes its payments with it, and what became of them', async () => {
    const { stripe, sandbox } = tollgate;
    const { subscription, payment, attach } = await parkedByHand();
    expect(await attach('gus')).toMatchObject({ status: 200 });
    sandbox.control.refund(payment, 400);
    sandbox.control.dispute(payment);
    await heard();
    expect(await decision('gus')).toBe('not: disputed');

    expect(await attach('hal', { move: true })).toMatchObject({ status: 200 });
    await heard();
    expect(await decision('hal')).toBe('not: disputed');
    expect(await decision('gus')).toBe('not: no_source');
    expect((await paymentsOf('gus')).data).toEqual([]);
    expect((await paymentsOf('hal')).data).toMatchObject([
      { id: payment, refunds: [{ status: 'succeeded' }], disputes: [{ status: 'needs_response' }] },
    ]);

    // The operator's word is there, and it is an event that carries it out.
    await tollgate.database.pool.query(
      `update tollgate.attachments set customer_id = (select id from tollgate.customers where external_id = 'gus')
        where object_id = $1`,
      [subscription],
    );
    await stripe.subscriptions.update(subscription, { metadata: { looked_at: 'again' } });
    await heard();
    await tollgate.until(async () => (await decision('gus')) === 'not: disputed');
    expect(await decision('hal')).toBe('not: no_source');
  });

  test('gives nobody access for a payment that is known to be disputed, while Stripe says nothing of payments', async () => {
    const { payment, attach } = await parkedByHand();
    await attach('ivy');
    tollgate.sandbox.control.refund(payment, 400);
    tollgate.sandbox.control.dispute(payment);
    await heard();
    await whilePaymentsCannotBeRead(async () => {
      expect(await attach('jan', { move: true })).toMatchObject({ status: 200 });
      expect(await decision('jan')).toBe('not: disputed');
      expect(await decision('ivy')).toBe('not: no_source');
      expect((await paymentsOf('ivy')).data).toEqual([]);
      expect((await paymentsOf('jan')).data).toMatchObject([
        { id: payment, refunds: [{ status: 'succeeded' }], disputes: [{ status: 'needs_response' }] },
      ]);
    });
    await heard();
    expect(await decision('jan')).toBe('not: disputed');
    expect(await timesGained('jan')).toBe(0);
    expect((await reconcile(tollgate)).drifts).toEqual([]);
  });
});

describe("a customer's ledger", () => {
  test('goes page by page, newest first, renewals and purchases together', async () => {
    await buy('dora');
    await heard();
    tollgate.sandbox.control.advance({ days: 32 });
    await heard();
    const once = await buy('dora', 'life');
    await heard();
    const whole = await paymentsOf('dora');
    expect(whole.data.map(({ amount }: { amount: { amount: number } }) => amount.amount)).toEqual([9900, 1000, 1000]);
    expect(whole.data[0]).toMatchObject({ id: once.payment, paid_for: { checkout_session_id: once.session } });
    const seen: unknown[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page = await paymentsOf('dora', `?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`);
      seen.push(...page.data);
      cursor = page.next_cursor;
    }
    expect(seen).toEqual(whole.data);
    expect((await app.get('/customers/dora/payments?cursor=bm9uZQ')).status).toBe(400);
  });

  test('shows what was bought once beside a subscription in the one payment of both, whatever is heard of last', async () => {
    const { payment, session } = await buy('bess', [monthly, life]);
    await heard();
    const { subscription, invoice } = await tollgate.stripe.checkout.sessions.retrieve(session);
    tollgate.sandbox.control.refund(payment, 400);
    await heard();
    const both = { price: expect.any(String), product: expect.any(String), quantity: 1 };
    const paid = {
      id: payment,
      amount: { amount: 10_900, currency: 'usd' },
      refunds: [{ status: 'succeeded', amount: { amount: 400 } }],
      paid_for: {
        lines: [both, both],
        checkout_session_id: session,
        subscription_id: subscription,
        invoice_id: invoice,
        period_start: expect.any(String),
        period_end: expect.any(String),
      },
    };
    expect((await paymentsOf('bess')).data).toMatchObject([paid]);
    for (const told of [session, subscription, payment, session]) {
      const { body } = await tollgate.admin.get(`/admin/events?object_id=${told}&limit=1`);
      expect((await tollgate.admin.post(`/admin/events/${body.data[0].id}/replay`, {})).status).toBe(202);
      await quiet(tollgate);
      expect((await paymentsOf('bess')).data).toMatchObject([paid]);
    }
  });

  test('leaves a refund with the payment, though what was bought beside the subscription is another’s', async () => {
    const { stripe, sandbox, admin } = tollgate;
    const { id: session } = await stripe.checkout.sessions.create({
      mode: 'subscription',
      line_items: [monthly, life].map((price) => ({ price, quantity: 1 })),
      success_url: 'https://shop.example/thanks',
    });
    sandbox.control.payCheckout(session);
    await heard();
    const { subscription, invoice } = await stripe.checkout.sessions.retrieve(session);
    const owners = { [String(subscription)]: 'payer', [session]: 'friend' };
    for (const [object, customer_id] of Object.entries(owners)) {
      const { body } = await admin.get(`/admin/parked?status=open&object_id=${object}`);
      const decision = { project_id: tollgate.project.id, customer_id, reason: 'A present' };
      expect((await admin.post(`/admin/parked/${body.data[0].id}/attach`, decision)).status).toBe(200);
    }
    const [paid] = (await stripe.invoicePayments.list({ invoice: String(invoice) })).data;
    sandbox.control.refund(String(paid?.payment.payment_intent), 400);
    await heard();
    const { body } = await admin.get(`/admin/events?object_id=${session}&limit=1`);
    await admin.post(`/admin/events/${body.data[0].id}/replay`, {});
    await quiet(tollgate);
    expect((await paymentsOf('payer')).data).toMatchObject([{ refunds: [{ amount: { amount: 400 } }] }]);
    expect((await paymentsOf('friend')).data).toEqual([]);
  });

  test('is of one project, and of nobody who is not known', async () => {
    const other = await tollgate.admin.post('/admin/projects', { name: 'Other', slug: 'other-payments' });
    expect((await tollgate.as(other.body.secret_key).get('/customers/dora/payments')).status).toBe(404);
    expect((await app.get('/customers/nobody/payments')).status).toBe(404);
  });
});

describe('a reconciliation', () => {
  test('finds refunds and disputes of invoices of which nobody told, repairs them, and then finds nothing', async () => {
    const { control } = tollgate.sandbox;
    const [lost, refunded] = [await buy('eva'), await buy('finn')];
    await heard();
    control.setFaults({ drop: 1 });
    control.closeDispute(control.dispute(lost.payment).id, 'lost');
    control.refund(refunded.payment);
    await heard();
    expect(await decision('eva')).toBe('subscription_active');

    const dry = await reconcile(tollgate, { dry_run: true });
    const run = await reconcile(tollgate);
    for (const [id, customer] of [
      [lost.payment, 'eva'],
      [refunded.payment, 'finn'],
    ] as const) {
      const drift = { kind: 'missing_locally', object_type: 'invoice_payment', customer_id: customer };
      expect(about(dry, id)).toMatchObject([{ ...drift, action: 'would_repair' }]);
      expect(about(run, id)).toMatchObject([{ ...drift, cause: 'event_not_delivered', action: 'repaired' }]);
    }
    expect(await decision('eva')).toBe('not: disputed');
    expect((await paymentsOf('finn')).data).toMatchObject([{ refunds: [{ status: 'succeeded' }] }]);
    expect((await reconcile(tollgate)).drifts).toEqual([]);

    const [refund] = (await tollgate.stripe.refunds.list({ payment_intent: refunded.payment })).data;
    control.failRefund(String(refund?.id));
    await heard();
    const one = await reconcile(tollgate, { project_id: tollgate.project.id, customer_id: 'finn' });
    expect(about(one, refunded.payment)).toMatchObject([{ kind: 'different', action: 'repaired' }]);
    expect(about(one, refunded.payment)[0]?.fields).toContainEqual({ field: 'refunded_minor', before: 1000, after: 0 });
    expect((await reconcile(tollgate)).drifts).toEqual([]);
  });
});
