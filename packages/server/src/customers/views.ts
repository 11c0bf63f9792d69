/** Customers, and what they have, as the API shows them. */
import type { PurchaseFact, SubscriptionFact } from '@tollgate/core';
import { type Static, Type } from 'typebox';
import { Closed, Money, Nullable, named, OneOf, Timestamp } from '../platform/http/schemas.ts';
import type { CustomerRow } from './find.ts';
import { type GrantRow, grantFields, grantFieldsOf } from './grant-fields.ts';
import type { Account } from './load-account.ts';

const customerFields = {
  object: Type.Literal('customer'),
  id: Type.String({ description: "Tollgate's own `cust_…`." }),
  customer_id: Type.String({ description: "The app's own id." }),
  email: Nullable(Type.String()),
  name: Nullable(Type.String()),
  stripe_customer_id: Nullable(Type.String({ description: "Stripe's `cus_…`; null while none was needed." })),
  created_at: Timestamp,
  updated_at: Timestamp,
};

export const CustomerView = named('Customer', Closed(customerFields));

const Line = { price: Type.String(), product: Type.String() };

const SubscriptionView = named(
  'CustomerSubscription',
  Closed({
    object: Type.Literal('subscription'),
    id: Type.String({ description: "Stripe's `sub_…`." }),
    status: Type.String({ description: "Stripe's status." }),
    items: Type.Array(
      Closed({
        id: Type.String(),
        ...Line,
        quantity: Nullable(Type.Integer({ description: 'null for a metered price.' })),
        current_period_start: Timestamp,
        current_period_end: Timestamp,
      }),
    ),
    started_at: Timestamp,
    trial_start: Nullable(Timestamp),
    trial_end: Nullable(Timestamp),
    cancel_at: Nullable(Timestamp),
    cancel_at_period_end: Type.Boolean(),
    canceled_at: Nullable(Timestamp),
    ended_at: Nullable(Timestamp),
    collection_paused: Type.Boolean(),
    past_due_since: Nullable(Timestamp),
  }),
);

const PurchaseView = named(
  'CustomerPurchase',
  Closed({
    object: Type.Literal('purchase'),
    id: Type.String({ description: 'The payment intent, or the checkout session when nothing had to be paid.' }),
    checkout_session_id: Nullable(Type.String()),
    status: OneOf(['paid', 'pending', 'failed']),
    paid_at: Nullable(Timestamp),
    lines: Type.Array(Closed({ ...Line, quantity: Type.Integer() })),
    total: Money,
    refunded: Money,
    refunded_at: Nullable(Timestamp),
    dispute: Nullable(Closed({ status: Type.String(), opened_at: Timestamp, closed_at: Nullable(Timestamp) })),
  }),
);

const GrantView = named(
  'CustomerGrant',
  Closed({
    object: Type.Literal('grant'),
    id: Type.String(),
    ...grantFields,
  }),
);

export const CustomerAccountView = named(
  'CustomerAccount',
  Closed({
    ...customerFields,
    subscriptions: Type.Array(SubscriptionView, { description: 'Newest first, ended ones among them.' }),
    purchases: Type.Array(PurchaseView, { description: 'Newest first.' }),
    grants: Type.Array(GrantView, { description: 'Newest first, revoked ones among them.' }),
    truncated: Type.Boolean({ description: 'Whether there are more than the 100 newest of any kind.' }),
  }),
);

export function customerView(row: CustomerRow): Static<typeof CustomerView> {
  return {
    object: 'customer',
    id: row.id,
    customer_id: row.external_id,
    email: row.email,
    name: row.name,
    stripe_customer_id: row.stripe_customer_id,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}

export function customerAccountView(row: CustomerRow, account: Account): Static<typeof CustomerAccountView> {
  return {
    ...customerView(row),
    subscriptions: account.subscriptions.map(subscriptionView),
    purchases: account.purchases.map(purchaseView),
    grants: account.grants.map(grantView),
    truncated: account.truncated,
  };
}

function subscriptionView(fact: SubscriptionFact): Static<typeof SubscriptionView> {
  return {
    object: 'subscription',
    id: fact.id,
    status: fact.status,
    items: fact.items.map((item) => ({
      id: item.id,
      price: item.priceId,
      product: item.productId,
      quantity: item.quantity,
      current_period_start: timestamp(item.currentPeriodStart),
      current_period_end: timestamp(item.currentPeriodEnd),
    })),
    started_at: timestamp(fact.startedAt),
    trial_start: orNull(fact.trialStart),
    trial_end: orNull(fact.trialEnd),
    cancel_at: orNull(fact.cancelAt),
    cancel_at_period_end: fact.cancelAtPeriodEnd,
    canceled_at: orNull(fact.canceledAt),
    ended_at: orNull(fact.endedAt),
    collection_paused: fact.collectionPaused,
    past_due_since: orNull(fact.pastDueSince),
  };
}

function purchaseView(fact: PurchaseFact): Static<typeof PurchaseView> {
  const { currency, dispute } = fact;
  return {
    object: 'purchase',
    id: fact.id,
    checkout_session_id: fact.checkoutSessionId,
    status: fact.status,
    paid_at: orNull(fact.paidAt),
    lines: fact.lines.map((line) => ({ price: line.priceId, product: line.productId, quantity: line.quantity })),
    total: { currency, amount: fact.amountMinor },
    refunded: { currency, amount: fact.refundedMinor },
    refunded_at: orNull(fact.refundedAt),
    dispute:
      dispute === null
        ? null
        : { status: dispute.status, opened_at: timestamp(dispute.openedAt), closed_at: orNull(dispute.closedAt) },
  };
}

function grantView(row: GrantRow): Static<typeof GrantView> {
  return {
    object: 'grant',
    id: row.id,
    ...grantFieldsOf(row),
  };
}

/** @param instant - epoch milliseconds */
function timestamp(instant: number): string {
  return new Date(instant).toISOString();
}

function orNull(instant: number | null): string | null {
  return instant === null ? null : timestamp(instant);
}
