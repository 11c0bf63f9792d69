/**
 * The words of the domain as types. Everything here is plain data that survives JSON.
 * Instants are epoch milliseconds (UTC); spans are half-open: `from` belongs to them, `to` does not.
 */

/** Epoch milliseconds, UTC. */
export type Instant = number;

/** `metered` is a word of the catalog already, and refused by the API until balances exist. */
export type FeatureType = 'boolean' | 'limit' | 'metered';
export type Aggregation = 'max' | 'sum';

export interface Feature {
  code: string;
  type: FeatureType;
  aggregation: Aggregation;
}

/** A feature attached to a product or a price. */
export interface Mapping {
  code: string;
  /** The amount of a `limit`; null for a `boolean` or when `unlimited`. */
  value: number | null;
  unlimited: boolean;
  /** The amount granted is `value` × the quantity bought. */
  perUnit: boolean;
  /** Days of access that a one-off purchase gives; null: for ever. */
  accessDays: number | null;
}

/** What a project sells and what it unlocks. A price's mapping replaces its product's for the same code. */
export interface Catalog {
  features: Readonly<Record<string, Feature>>;
  products: Readonly<Record<string, readonly Mapping[]>>;
  prices: Readonly<Record<string, readonly Mapping[]>>;
}

export interface AccessPolicy {
  pastDueGraceDays: number;
  renewalSlackHours: number;
  /** Whether a subscription whose collection is paused keeps its access. */
  pauseCollection: 'grant' | 'deny';
  /** Whether a trial gives access before anything was paid. */
  trial: 'grant' | 'deny';
  /** Whether an open dispute suspends what the payment bought. */
  dispute: 'suspend' | 'keep';
  /** Whether a refund in part revokes what was paid for: a purchase, or with `revoke_period` a subscription's period. */
  partialRefund: 'keep' | 'revoke';
  /** Whether the refund of a subscription's invoice ends access to the periods that it paid for. */
  subscriptionRefund: 'ignore' | 'revoke_period';
  /** Origins that checkout and portal may redirect to; empty: any https, and http on loopback. */
  redirectOrigins: readonly string[];
}

export interface SubscriptionItem {
  id: string;
  priceId: string;
  productId: string;
  /** null for a metered price. */
  quantity: number | null;
  currentPeriodStart: Instant;
  currentPeriodEnd: Instant;
  /** What the price cost when it was fetched, for revenue; null when the price has no fixed amount. */
  price: PriceTerms | null;
  /** Discounts of this item. */
  discounts: readonly Discount[];
}

/** The terms of a price that revenue needs. Amounts are integer minor units, decimals as strings. */
export interface PriceTerms {
  currency: string;
  unitAmount: number | null;
  unitAmountDecimal: string | null;
  interval: 'day' | 'week' | 'month' | 'year' | null;
  intervalCount: number;
  usageType: 'licensed' | 'metered';
  billingScheme: 'per_unit' | 'tiered';
  tiersMode: 'graduated' | 'volume' | null;
  tiers: readonly PriceTier[];
  transformQuantity: { divideBy: number; round: 'up' | 'down' } | null;
}

export interface PriceTier {
  upTo: number | null;
  unitAmountDecimal: string | null;
  flatAmountDecimal: string | null;
}

export interface Discount {
  duration: 'forever' | 'once' | 'repeating';
  percentOff: number | null;
  amountOff: number | null;
  currency: string | null;
  end: Instant | null;
  /** The products that it is good for; missing: whatever is sold. */
  appliesTo?: readonly string[];
}

export interface SubscriptionFact {
  kind: 'subscription';
  /** Stripe's `sub_…`. */
  id: string;
  /** Stripe's status as it came; one that is not known grants nothing. */
  status: string;
  items: readonly SubscriptionItem[];
  startedAt: Instant;
  cancelAt: Instant | null;
  cancelAtPeriodEnd: boolean;
  canceledAt: Instant | null;
  endedAt: Instant | null;
  trialStart: Instant | null;
  trialEnd: Instant | null;
  /** What happens at the trial's end without a payment method. */
  trialEndBehavior: 'create_invoice' | 'cancel' | 'pause';
  collectionPaused: boolean;
  /**
   * When the oldest open invoice newer than the last paid one fell due; null when none is open. Of one that was canceled
   * because nobody paid, when its last period began.
   */
  pastDueSince: Instant | null;
  discounts: readonly Discount[];
  /** True when the trial will convert only if a payment method exists and none does. */
  missingPaymentMethod: boolean;
  /**
   * Where nothing has been paid although it has begun: the debit that it began with is under way, or was returned. Missing
   * where nothing is owed for its beginning.
   */
  firstPayment?: 'pending' | 'failed';
  /**
   * True when it ended because Stripe did not find it, and not by Stripe's word: should Stripe find it after all (the
   * key was another account's), what Stripe says then holds.
   */
  notFound?: boolean;
}

export interface PurchaseLine {
  priceId: string;
  productId: string;
  quantity: number;
}

export interface PurchaseFact {
  kind: 'purchase';
  /** Business key: the payment intent `pi_…`, or the checkout session `cs_…` when nothing had to be paid. */
  id: string;
  checkoutSessionId: string | null;
  status: 'paid' | 'pending' | 'failed';
  paidAt: Instant | null;
  lines: readonly PurchaseLine[];
  currency: string;
  amountMinor: number;
  /** Sum of the refunds that are neither failed nor canceled. */
  refundedMinor: number;
  refundedAt: Instant | null;
  dispute: Dispute | null;
}

/** Of several disputes about one payment, the one that weighs most. */
export interface Dispute {
  /** Stripe's status as it came. */
  status: string;
  openedAt: Instant;
  closedAt: Instant | null;
}

/** What one line of a subscription's invoice charged for. */
export interface InvoiceLine {
  subscriptionId: string;
  subscriptionItemId: string;
  productId: string;
  priceId: string;
  periodStart: Instant;
  periodEnd: Instant;
  amountMinor: number;
}

/**
 * The payment of a subscription's invoice that has, or once had, a refund or a dispute. Any other payment is no fact: the
 * subscription says what follows from it.
 */
export interface InvoicePaymentFact {
  kind: 'invoice_payment';
  /** Business key: the payment intent `pi_…`. */
  id: string;
  invoiceIds: readonly string[];
  currency: string;
  /** What was paid for the lines in all: by this payment, and by any other of the same invoice. */
  amountMinor: number;
  /** The lines that charged for a subscription's item; credits and what costs nothing are not among them. */
  lines: readonly InvoiceLine[];
  /** Sum of the refunds that are neither failed nor canceled. */
  refundedMinor: number;
  /** When the whole amount had been refunded, or else when the first part was. */
  refundedAt: Instant | null;
  dispute: Dispute | null;
}

export interface GrantFact {
  kind: 'grant';
  id: string;
  feature: string;
  effect: 'allow' | 'deny';
  value: number | null;
  unlimited: boolean;
  validFrom: Instant;
  validTo: Instant | null;
  revokedAt: Instant | null;
}

export type Fact = SubscriptionFact | PurchaseFact | InvoicePaymentFact | GrantFact;
export type FactKind = Fact['kind'];
/** The facts that give something by themselves; the payment of an invoice only takes away. */
export type SourceType = Exclude<FactKind, 'invoice_payment'>;

export type EntitledReason =
  | 'subscription_active'
  | 'subscription_trialing'
  | 'subscription_grace'
  | 'subscription_slack'
  | 'purchase'
  | 'grant';

export type DeniedReason =
  | 'unknown_feature'
  | 'no_source'
  | 'not_started'
  | 'expired'
  | 'canceled'
  | 'paused'
  | 'unpaid'
  | 'payment_past_due'
  | 'payment_pending'
  | 'refunded'
  | 'disputed'
  | 'revoked'
  | 'denied';

export type Reason = EntitledReason | DeniedReason;

/** One span of time in which one source grants (or, as a deny grant, forbids) a feature. */
export interface SourceWindow {
  from: Instant;
  /** null: without end. */
  to: Instant | null;
  reason: EntitledReason;
}

/** One span of time in which a source would give a feature, were the payment for it not refunded or disputed. */
export interface BarredSpan {
  from: Instant;
  /** null: without end. */
  to: Instant | null;
  reason: 'refunded' | 'disputed';
  /** The payment `pi_…` whose money went back, or may. */
  paymentId: string;
}

/** Everything that one source says about one feature: the unit of the snapshot, and of the explanation. */
export interface SourceTrace {
  type: SourceType;
  id: string;
  /** The price or product whose mapping applied (`price_…`, `prod_…`); null for a grant. */
  via: string | null;
  effect: 'allow' | 'deny';
  value: number | null;
  unlimited: boolean;
  /** In order, not overlapping; empty when the source grants nothing at any time. */
  windows: readonly SourceWindow[];
  /** Why the source grants nothing outside its windows, once they have ended. */
  endReason: DeniedReason;
  /** When it ended, or became worthless; null when it never will. */
  endedAt: Instant | null;
  /** End of the paid period, for a subscription. */
  periodEnd: Instant | null;
  willRenew: boolean;
  /** What refunds and disputes of its invoices took out of the windows, in order; missing where they took nothing. */
  barred?: readonly BarredSpan[];
}

export interface FeatureTrace {
  feature: string;
  type: FeatureType;
  aggregation: Aggregation;
  /** Sorted by type, then id, then via, so that equal facts give equal snapshots. */
  sources: readonly SourceTrace[];
}

/** The result of `resolve`: windows and traces per feature, no "now" in it. */
export interface SnapshotBody {
  features: Readonly<Record<string, FeatureTrace>>;
}
