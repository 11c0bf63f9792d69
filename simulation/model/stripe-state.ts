/** What Stripe says of a customer's subscriptions and payments, read straight from the sandbox's objects. */
import type { World } from '../../packages/stripe-sandbox/src/world.ts';

export interface ItemState {
  id: string;
  price: string;
  product: string;
  quantity: number;
  periodStart: number;
  periodEnd: number;
}

/** Instants are epoch milliseconds. */
export interface SubscriptionState {
  kind: 'subscription';
  id: string;
  status: string;
  startedAt: number;
  items: ItemState[];
  cancelAt: number | null;
  cancelAtPeriodEnd: boolean;
  endedAt: number | null;
  trialEnd: number | null;
  collectionPaused: boolean;
  /** At the trial's end it will not go on, for want of a card. */
  endsWithTrial: boolean;
  /** Since when money is owed for it. */
  owedSince: number | null;
  /** What it began with was never paid, nor any renewal since. */
  neverPaid: boolean;
  customerDeleted: boolean;
}

export interface PurchaseState {
  kind: 'purchase';
  id: string;
  paidAt: number | null;
  amount: number;
  lines: { price: string; product: string; quantity: number }[];
  /** Those that took money back, or will. */
  refunded: number;
  disputes: string[];
}

/** A payment of invoices of subscriptions, of which money was asked back. */
export interface PaymentState {
  kind: 'payment';
  id: string;
  amount: number;
  /** What it was for. */
  lines: { subscription: string; item: string; product: string; periodStart: number; periodEnd: number }[];
  refunded: number;
  disputes: string[];
}

/** What gives access by itself. */
export type SourceState = SubscriptionState | PurchaseState;
export type ObjectState = SourceState | PaymentState;

type Subscription = ReturnType<typeof subscriptionsOf>[number];
type InvoiceLine = ReturnType<typeof invoicesOf>[number]['lines']['data'][number];
type Session = ReturnType<typeof sessionsOf>[number];

function subscriptionsOf(world: World, customer: string) {
  return world.store.all('subscription', { key: 'customer', value: customer });
}

function sessionsOf(world: World, customer: string) {
  return world.store.all('checkout.session', { key: 'customer', value: customer });
}

function invoicesOf(world: World, customer: string) {
  return world.store.all('invoice', { key: 'customer', value: customer });
}

/** Everything that a Stripe customer has, or had. */
export function objectsOf(world: World, customer: string): ObjectState[] {
  return [
    ...subscriptionsOf(world, customer).map((subscription) => subscriptionState(world, subscription)),
    ...sessionsOf(world, customer).flatMap((session) => purchaseState(world, session) ?? []),
    ...world.store
      .all('charge', { key: 'customer', value: customer })
      .flatMap(({ payment_intent: intent }) => (intent === null ? [] : (paymentState(world, intent) ?? []))),
  ];
}

/** Those that a business with all its customers has, for revenue. */
export function allSubscriptions(world: World): readonly Subscription[] {
  return world.store.all('subscription');
}

function subscriptionState(world: World, sub: Subscription): SubscriptionState {
  const customer = world.store.get('customer', sub.customer);
  const card = sub.default_payment_method ?? customer?.invoice_settings.default_payment_method ?? null;
  const willNotConvert = sub.trial_settings.end_behavior.missing_payment_method !== 'create_invoice';
  return {
    kind: 'subscription',
    id: sub.id,
    status: sub.status,
    startedAt: sub.start_date * 1000,
    items: sub.items.data.map((item) => ({
      id: item.id,
      price: item.price.id,
      product: item.price.product,
      quantity: item.quantity ?? 1,
      periodStart: item.current_period_start * 1000,
      periodEnd: item.current_period_end * 1000,
    })),
    cancelAt: ms(sub.cancel_at),
    cancelAtPeriodEnd: sub.cancel_at_period_end,
    endedAt: ms(sub.ended_at),
    trialEnd: ms(sub.trial_end),
    collectionPaused: sub.pause_collection !== null,
    endsWithTrial: sub.status === 'trialing' && willNotConvert && card === null,
    owedSince: owedSince(world, sub),
    neverPaid: neverPaid(world, sub),
    customerDeleted: customer === undefined,
  };
}

function invoicesFor(world: World, sub: Subscription) {
  return invoicesOf(world, sub.customer).filter(
    (invoice) => invoice.parent?.subscription_details?.subscription === sub.id,
  );
}

/** A debit may be under way for days, and come back after all. */
function neverPaid(world: World, sub: Subscription): boolean {
  const invoices = invoicesFor(world, sub);
  const owed = invoices.some(
    ({ billing_reason: reason, status }) =>
      reason === 'subscription_create' && (status === 'open' || status === 'void'),
  );
  const renewed = invoices.some(
    ({ billing_reason: reason, status }) => reason === 'subscription_cycle' && status === 'paid',
  );
  return sub.collection_method === 'charge_automatically' && owed && !renewed;
}

/** The oldest invoice that is open and newer than the last one that was paid. */
function owedSince(world: World, sub: Subscription): number | null {
  const invoices = invoicesFor(world, sub);
  const paid = invoices.filter(({ status }) => status === 'paid').map(({ created }) => created);
  const lastPaid = Math.max(Number.NEGATIVE_INFINITY, ...paid);
  let since: number | null = null;
  let oldest = Number.POSITIVE_INFINITY;
  for (const invoice of invoices) {
    if (invoice.status !== 'open' || invoice.created <= lastPaid || invoice.created >= oldest) continue;
    oldest = invoice.created;
    since = invoice.due_date ?? invoice.status_transitions.finalized_at ?? invoice.created;
  }
  return ms(since);
}

/** A one-off purchase by a session; undefined while nothing was bought. */
function purchaseState(world: World, session: Session): PurchaseState | undefined {
  if (session.mode !== 'payment') return undefined;
  const intent =
    session.payment_intent === null ? undefined : world.store.get('payment_intent', session.payment_intent);
  const charge = intent?.latest_charge == null ? undefined : world.store.get('charge', intent.latest_charge);
  const free = intent === undefined && session.status === 'complete' && session.payment_status !== 'unpaid';
  if (session.status !== 'complete' && intent?.status !== 'succeeded') return undefined;
  const paid = free || intent?.status === 'succeeded';
  const { refunded, disputes } = moneyBack(world, intent?.id);
  return {
    kind: 'purchase',
    id: intent?.id ?? session.id,
    paidAt: paid ? ms(charge?.created ?? session.created) : null,
    amount: intent?.amount_received ?? session.amount_total ?? 0,
    lines: session.$.lines.map(({ price, quantity }) => ({ price: price.id, product: price.product, quantity })),
    refunded,
    disputes,
  };
}

/** Undefined where nobody asked for money back, or it paid no invoice of a subscription. */
function paymentState(world: World, intent: string): PaymentState | undefined {
  const { refunded, disputes, asked } = moneyBack(world, intent);
  if (!asked) return undefined;
  const invoices = world.store
    .all('invoice_payment', { key: 'payment_intent', value: intent })
    .filter(({ status }) => status === 'paid')
    .flatMap(({ invoice }) => world.store.get('invoice', invoice) ?? [])
    .filter(({ parent }) => parent?.subscription_details != null);
  if (invoices.length === 0) return undefined;
  return {
    kind: 'payment',
    id: intent,
    amount: invoices.reduce((sum, { amount_paid: paid }) => sum + paid, 0),
    lines: invoices.flatMap(({ lines }) => lines.data.flatMap(lineState)),
    refunded,
    disputes,
  };
}

/** A credit, or what costs nothing, buys nothing. */
function lineState({ amount, parent, period, pricing }: InvoiceLine): PaymentState['lines'] {
  const sold = parent.subscription_item_details;
  if (amount <= 0 || sold === null || pricing === null) return [];
  return [
    {
      subscription: sold.subscription,
      item: sold.subscription_item,
      product: pricing.price_details.product,
      periodStart: ms(period.start),
      periodEnd: ms(period.end),
    },
  ];
}

function moneyBack(world: World, intent: string | undefined) {
  if (intent === undefined) return { refunded: 0, disputes: [], asked: false };
  const refunds = world.store.all('refund', { key: 'payment_intent', value: intent });
  const disputes = world.store.all('dispute', { key: 'payment_intent', value: intent });
  return {
    refunded: refunds
      .filter(({ status }) => status !== 'failed' && status !== 'canceled')
      .reduce((sum, { amount }) => sum + amount, 0),
    disputes: disputes.map(({ status }) => status),
    asked: refunds.length + disputes.length > 0,
  };
}

function ms<T extends number | null>(seconds: T): T {
  return (seconds === null ? null : seconds * 1000) as T;
}
