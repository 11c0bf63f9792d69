/** Refunds and disputes of subscriptions' invoices, in a sandbox that lives, through the mirror. */
import { type AccessPolicy, DEFAULT_ACCESS_POLICY, type InvoicePaymentFact } from '@tollgate/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ObjectType } from '../../src/mirror/sync-object.ts';
import { type MirrorShop, startMirrorShop } from '../support/mirror-shop.ts';

let shop: MirrorShop;
let mirror: MirrorShop['mirror'];
let control: MirrorShop['sandbox']['control'];

beforeAll(async () => {
  shop = await startMirrorShop();
  mirror = shop.mirror;
  control = shop.sandbox.control;
});
afterAll(async () => shop.close());
beforeEach(async () => setPolicy({}));

/** Holds for whatever is worked out from here on. */
async function setPolicy(policy: Partial<AccessPolicy>): Promise<void> {
  await mirror.database.db
    .updateTable('tollgate.projects')
    .set({ access_policy: JSON.stringify({ ...DEFAULT_ACCESS_POLICY, ...policy }) })
    .where('id', '=', shop.project)
    .execute();
}

/** A customer who has paid for the first month. */
async function subscribe(extra: Parameters<MirrorShop['open']>[2] = {}, prices = [shop.monthly]) {
  const opened = await shop.open('subscription', prices, extra);
  const { subscription } = await shop.pay(opened.id);
  shop.followTime();
  await mirror.sync('checkout_session', opened.id);
  return { ...opened, subscription, payment: await latestPayment(subscription) };
}

async function latestPayment(subscription: string): Promise<string> {
  const { latest_invoice } = await shop.stripe.subscriptions.retrieve(subscription);
  const { data } = await shop.stripe.invoicePayments.list({ invoice: latest_invoice as string });
  return data[0]?.payment.payment_intent as string;
}

/** A little later, since what happens in one second happens at once. */
async function sync(payment: string): Promise<string> {
  control.advance({ seconds: 5 });
  shop.followTime();
  return (await mirror.sync('payment', payment)).status;
}

async function renew(subscription: string): Promise<void> {
  control.advance({ days: 32 });
  shop.followTime();
  await mirror.sync('subscription', subscription);
}

const factOf = async (payment: string) => (await mirror.fact(payment)) as InvoicePaymentFact | undefined;

describe("the refund of a subscription's invoice", () => {
  it('is known, and changes no access by default', async () => {
    const { payment, externalId, subscription } = await subscribe();
    control.refund(payment);
    expect(await sync(payment)).toBe('applied');
    expect(await factOf(payment)).toMatchObject({ amountMinor: 900, refundedMinor: 900, dispute: null });
    expect((await factOf(payment))?.lines).toMatchObject([{ subscriptionId: subscription, priceId: shop.monthly }]);
    expect(await shop.access(externalId)).toEqual({ entitled: true, reason: 'subscription_active' });
  });

  it('in several parts ends the period with the last one, and a part that fails gives it back', async () => {
    await setPolicy({ subscriptionRefund: 'revoke_period' });
    const { payment, externalId } = await subscribe();
    control.refund(payment, 400);
    await sync(payment);
    expect(await shop.access(externalId)).toEqual({ entitled: true, reason: 'subscription_active' });
    const rest = control.refund(payment);
    await sync(payment);
    expect(await shop.access(externalId)).toEqual({ entitled: false, reason: 'refunded' });
    control.failRefund(rest.id);
    await sync(payment);
    expect(await factOf(payment)).toMatchObject({ refundedMinor: 400 });
    expect(await shop.access(externalId)).toEqual({ entitled: true, reason: 'subscription_active' });
  });

  it('in part ends the period where the policy says so', async () => {
    await setPolicy({ subscriptionRefund: 'revoke_period', partialRefund: 'revoke' });
    const { payment, externalId } = await subscribe();
    control.refund(payment, 1);
    await sync(payment);
    expect(await shop.access(externalId)).toEqual({ entitled: false, reason: 'refunded' });
  });

  it('ends no more than its period: the next one that is paid gives access again', async () => {
    await setPolicy({ subscriptionRefund: 'revoke_period' });
    const { payment, externalId, subscription } = await subscribe();
    control.refund(payment);
    await sync(payment);
    expect(await shop.access(externalId)).toEqual({ entitled: false, reason: 'refunded' });
    await renew(subscription);
    expect(await shop.access(externalId)).toEqual({ entitled: true, reason: 'subscription_active' });
    expect(await latestPayment(subscription)).not.toBe(payment);
  });

  it('touches neither another subscription nor what was bought once', async () => {
    await setPolicy({ subscriptionRefund: 'revoke_period' });
    const { payment, externalId, customerId, stripeCustomerId } = await subscribe();
    const session = await shop.stripe.checkout.sessions.create({
      mode: 'payment',
      customer: stripeCustomerId,
      line_items: [{ price: shop.lifetime, quantity: 1 }],
      success_url: 'https://app.example/done',
    });
    await shop.pay(session.id);
    expect(await mirror.sync('checkout_session', session.id)).toMatchObject({ status: 'applied', customerId });
    control.refund(payment);
    await sync(payment);
    expect(await shop.access(externalId)).toEqual({ entitled: true, reason: 'purchase' });
  });

  it('gives back what was bought beside the subscription too', async () => {
    const { payment, externalId, subscription, id } = await subscribe({}, [shop.monthly, shop.lifetime]);
    control.refund(payment);
    await sync(payment);
    expect(await mirror.fact(id)).toMatchObject({ kind: 'purchase', refundedMinor: 5900 });
    await shop.stripe.subscriptions.cancel(subscription);
    await mirror.sync('subscription', subscription);
    control.advance({ seconds: 5 });
    expect((await shop.access(externalId)).entitled).toBe(false);
    expect(await ledger(payment)).toMatchObject({
      payments: [{ id: payment, amount: 5900, checkout_session_id: id, subscription_id: subscription }],
    });
  });
});

describe("the dispute of a subscription's invoice", () => {
  it('suspends while it is open, gives all back once won, and takes the period once lost', async () => {
    const { payment, externalId, subscription } = await subscribe();
    const never = await snapshotOf(externalId);
    const dispute = control.dispute(payment);
    await sync(payment);
    expect(await shop.access(externalId)).toEqual({ entitled: false, reason: 'disputed' });
    control.closeDispute(dispute.id, 'won');
    await sync(payment);
    expect(await snapshotOf(externalId)).toEqual(never);

    const second = await subscribe();
    const lost = control.dispute(second.payment);
    control.closeDispute(lost.id, 'lost');
    await setPolicy({ dispute: 'keep' });
    await sync(second.payment);
    expect(await shop.access(second.externalId)).toEqual({ entitled: false, reason: 'disputed' });
    await renew(second.subscription);
    expect(await shop.access(second.externalId)).toEqual({ entitled: true, reason: 'subscription_active' });
    expect(subscription).not.toBe(second.subscription);
  });

  it('leaves no slack and no grace after the disputed period', async () => {
    const { payment, externalId, subscription, stripeCustomerId } = await subscribe();
    control.dispute(payment);
    await sync(payment);
    control.failNextPayment({ customer: stripeCustomerId });
    control.advance({ days: 32 });
    // The renewal has not been heard of yet.
    expect(await shop.access(externalId)).toEqual({ entitled: false, reason: 'disputed' });
    await mirror.sync('subscription', subscription);
    expect(await mirror.fact(subscription)).toMatchObject({ status: 'past_due' });
    expect(await shop.access(externalId)).toEqual({ entitled: false, reason: 'disputed' });
  });

  it('that is a warning only, or that the policy lets pass, changes nothing', async () => {
    const { payment, externalId } = await subscribe();
    control.dispute(payment, 'inquiry');
    await sync(payment);
    expect(await factOf(payment)).toMatchObject({ dispute: { status: 'warning_needs_response' } });
    expect(await shop.access(externalId)).toEqual({ entitled: true, reason: 'subscription_active' });
    await setPolicy({ dispute: 'keep' });
    const other = await subscribe();
    control.dispute(other.payment);
    await sync(other.payment);
    expect(await shop.access(other.externalId)).toEqual({ entitled: true, reason: 'subscription_active' });
  });

  it('is about every line, also of an invoice with more than Stripe shows at once', async () => {
    const { product } = await shop.stripe.prices.retrieve(shop.monthly);
    const prices: string[] = [];
    for (let n = 1; n <= 11; n += 1) {
      const of = { product: product as string, currency: 'eur', unit_amount: n * 100 };
      prices.push((await shop.stripe.prices.create({ ...of, recurring: { interval: 'month' } })).id);
    }
    const { payment, externalId } = await subscribe({}, prices);
    control.dispute(payment);
    await sync(payment);
    expect((await factOf(payment))?.lines.map(({ priceId }) => priceId).sort()).toEqual([...prices].sort());
    expect(await shop.access(externalId)).toEqual({ entitled: false, reason: 'disputed' });
  });
});

describe('a subscription that is first heard of after the dispute of its payment', () => {
  async function disputedUnseen() {
    const opened = await shop.open('subscription', [shop.monthly]);
    const { subscription } = await shop.pay(opened.id);
    const payment = await latestPayment(subscription);
    control.dispute(payment);
    return { ...opened, subscription, payment };
  }
  const reasonsOf = async (customerId: string) => {
    const rows = await mirror.database.db
      .selectFrom('tollgate.snapshot_versions')
      .select('changes')
      .where('customer_id', '=', customerId)
      .orderBy('version')
      .execute();
    return rows.flatMap(({ changes }) => (changes as { after: { reason: string } }[]).map(({ after }) => after.reason));
  };

  it('gives no access for a moment, when it is the dispute that tells of it', async () => {
    const { payment, externalId, customerId } = await disputedUnseen();
    expect(await sync(payment)).toBe('applied');
    expect(await shop.access(externalId)).toEqual({ entitled: false, reason: 'disputed' });
    expect(await reasonsOf(customerId)).toEqual(['disputed']);
  });

  it('gives no access for a moment, when it was paid a while ago', async () => {
    const { subscription, payment, externalId, customerId } = await disputedUnseen();
    control.advance({ seconds: 600 });
    shop.followTime();
    await mirror.sync('subscription', subscription);
    expect(await shop.access(externalId)).toEqual({ entitled: false, reason: 'disputed' });
    expect(await reasonsOf(customerId)).toEqual(['disputed']);
    expect((await ledger(payment)).disputes).toHaveLength(1);
  });

  it('gives no access for a moment, when it is an earlier payment of the period that was disputed', async () => {
    const { subscription, externalId, customerId } = await disputedUnseen();
    const { data } = await shop.stripe.subscriptionItems.list({ subscription });
    await shop.stripe.subscriptions.update(subscription, {
      items: [{ id: data[0]?.id as string, quantity: 2 }],
      proration_behavior: 'always_invoice',
    });
    control.advance({ seconds: 600 });
    shop.followTime();
    await mirror.sync('subscription', subscription);
    expect(await shop.access(externalId)).toEqual({ entitled: false, reason: 'disputed' });
    expect(await reasonsOf(customerId)).toEqual(['disputed']);
  });
});

describe('the payments of subscriptions in the ledger', () => {
  it('are written down with their subscription, without a call of their own and without a fact', async () => {
    const { subscription, payment, customerId } = await subscribe();
    expect(await ledger(payment)).toMatchObject({
      payments: [{ id: payment, customer_id: customerId, status: 'paid', amount: 900, subscription_id: subscription }],
      refunds: [],
      disputes: [],
    });
    await renew(subscription);
    const next = await latestPayment(subscription);
    expect(next).not.toBe(payment);
    expect((await ledger(next)).payments).toMatchObject([{ status: 'paid', amount: 900 }]);
    expect(await factOf(payment)).toBeUndefined();
    expect(await factOf(next)).toBeUndefined();
  });

  it('hold no payment that did not go through', async () => {
    const { subscription, stripeCustomerId } = await subscribe();
    control.failNextPayment({ customer: stripeCustomerId });
    await renew(subscription);
    expect((await ledger(await latestPayment(subscription))).payments).toEqual([]);
  });

  it('are the same, as are facts and access, in every order in which a disputed payment is looked at', async () => {
    const opened = await shop.open('subscription', [shop.monthly, shop.lifetime]);
    const { subscription } = await shop.pay(opened.id);
    const payment = await latestPayment(subscription);
    const inquiry = control.dispute(payment, 'inquiry');
    control.closeDispute(inquiry.id, 'won');
    control.refund(payment, 300);
    control.failRefund(control.refund(payment, 200).id);
    control.dispute(payment);
    const looks: [ObjectType, string][] = [
      ['checkout_session', opened.id],
      ['subscription', subscription],
      ['payment', payment],
      ['customer', opened.stripeCustomerId],
    ];
    const seen = new Set<string>();
    for (const order of permutations(looks)) {
      await forget(opened.customerId);
      control.advance({ seconds: 1 });
      shop.followTime();
      for (const [type, id] of order) await mirror.sync(type, id);
      seen.add(
        JSON.stringify([await ledger(payment), await factsOf(opened.customerId), await snapshotOf(opened.externalId)]),
      );
    }
    expect(seen.size).toBe(1);
    const facts = await factsOf(opened.customerId);
    expect(facts.map(({ kind }) => kind)).toEqual(['invoice_payment', 'purchase', 'subscription']);
    const { payments, refunds, disputes } = await ledger(payment);
    expect([payments.length, refunds.length, disputes.length]).toEqual([1, 2, 2]);
    expect(await shop.access(opened.externalId)).toEqual({ entitled: false, reason: 'disputed' });
  });

  it('keep the newest state of a refund, when the fetch from before it failed is saved last', async () => {
    const { payment } = await subscribe();
    const refund = control.refund(payment);
    await Promise.all([sync(payment), sync(payment), sync(payment)]);
    control.failRefund(refund.id);
    await sync(payment);
    expect((await ledger(payment)).refunds).toMatchObject([{ id: refund.id, status: 'failed', amount: 900 }]);
  });
});

/** Everything in the ledger about one payment; moments of Stripe's only. */
async function ledger(payment: string) {
  const { db } = mirror.database;
  const payments = await db.selectFrom('tollgate.payments').selectAll().where('id', '=', payment).execute();
  const of = { refunds: 'tollgate.refunds', disputes: 'tollgate.disputes' } as const;
  const refunds = await db.selectFrom(of.refunds).selectAll().where('payment_id', '=', payment).orderBy('id').execute();
  const disputes = await db
    .selectFrom(of.disputes)
    .selectAll()
    .where('payment_id', '=', payment)
    .orderBy('id')
    .execute();
  return { payments, refunds, disputes };
}

async function factsOf(customerId: string) {
  const rows = await mirror.database.db
    .selectFrom('tollgate.facts')
    .select('body')
    .where('customer_id', '=', customerId)
    .orderBy('kind')
    .execute();
  return rows.map(({ body }) => body);
}

async function snapshotOf(externalId: string) {
  const row = await mirror.database.db
    .selectFrom('tollgate.snapshots')
    .select('body')
    .where('external_id', '=', externalId)
    .executeTakeFirstOrThrow();
  return row.body;
}

/** As if nothing had ever been heard of the customer but who it is. */
async function forget(customerId: string): Promise<void> {
  const { pool } = mirror.database;
  for (const table of ['facts', 'fact_versions', 'payments', 'refunds', 'disputes', 'snapshots', 'snapshot_versions']) {
    await pool.query(`delete from tollgate.${table} where customer_id = $1`, [customerId]);
  }
  await pool.query('update tollgate.customers set stripe_customer_id = null where id = $1', [customerId]);
}

function permutations<T>(list: readonly T[]): T[][] {
  if (list.length <= 1) return [[...list]];
  return list.flatMap((first, index) =>
    permutations(list.filter((_, other) => other !== index)).map((rest) => [first, ...rest]),
  );
}
