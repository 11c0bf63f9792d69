/**
 * What the mirror reads of Stripe's objects, and no more: members that are not named may come, go and change. An
 * answer that does not fit is refused with the path that failed, instead of becoming a fact with holes in it.
 */
import { type Static, type TSchema, Type } from 'typebox';

const OrNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
/** Seconds since 1970. */
const Seconds = Type.Integer();
const Count = Type.Integer({ minimum: 0 });
const Metadata = Type.Record(Type.String(), Type.String());
/** An object that comes as its id, or whole when it was expanded. */
const Reference = Type.Union([Type.String(), Type.Object({ id: Type.String() })]);
/** The SDK makes objects of decimals that it fetched, and leaves those of webhooks as text. */
const Decimal = Type.Union([Type.String(), Type.Number(), Type.Unsafe<{ toString(): string }>(Type.Object({}))]);

export const CustomerShape = Type.Object({
  id: Type.String(),
  deleted: Type.Optional(Type.Boolean()),
  email: Type.Optional(OrNull(Type.String())),
  name: Type.Optional(OrNull(Type.String())),
  metadata: Type.Optional(Metadata),
  default_source: Type.Optional(OrNull(Reference)),
  invoice_settings: Type.Optional(Type.Object({ default_payment_method: OrNull(Reference) })),
});
export type CustomerShape = Static<typeof CustomerShape>;

const CouponShape = Type.Object({
  id: Type.String(),
  duration: Type.String(),
  percent_off: OrNull(Type.Number()),
  amount_off: OrNull(Type.Integer()),
  currency: OrNull(Type.String()),
  /** Only where they were asked for, and there are any. */
  applies_to: Type.Optional(OrNull(Type.Object({ products: Type.Array(Type.String()) }))),
  currency_options: Type.Optional(Type.Record(Type.String(), Type.Object({ amount_off: Type.Integer() }))),
});

export const DiscountShape = Type.Object({
  id: Type.String(),
  end: OrNull(Seconds),
  source: Type.Object({ coupon: OrNull(Type.Union([Type.String(), CouponShape])) }),
});
export type DiscountShape = Static<typeof DiscountShape>;

export const ProductShape = Type.Object({
  id: Type.String(),
  deleted: Type.Optional(Type.Boolean()),
  name: Type.String(),
  description: Type.Optional(OrNull(Type.String())),
  active: Type.Boolean(),
  created: Seconds,
  metadata: Metadata,
});
export type ProductShape = Static<typeof ProductShape>;

const TiersShape = Type.Array(
  Type.Object({
    up_to: OrNull(Type.Integer()),
    unit_amount_decimal: OrNull(Decimal),
    flat_amount_decimal: OrNull(Decimal),
  }),
);

export const PriceShape = Type.Object({
  id: Type.String(),
  deleted: Type.Optional(Type.Boolean()),
  product: Reference,
  active: Type.Boolean(),
  created: Seconds,
  currency: Type.String(),
  nickname: OrNull(Type.String()),
  lookup_key: OrNull(Type.String()),
  metadata: Metadata,
  billing_scheme: Type.String(),
  unit_amount: OrNull(Type.Integer()),
  unit_amount_decimal: Type.Optional(OrNull(Decimal)),
  recurring: OrNull(
    Type.Object({ interval: Type.String(), interval_count: Type.Integer({ minimum: 1 }), usage_type: Type.String() }),
  ),
  tiers_mode: Type.Optional(OrNull(Type.String())),
  tiers: Type.Optional(TiersShape),
  /** What it costs in other currencies; only where it was asked for. */
  currency_options: Type.Optional(
    Type.Record(
      Type.String(),
      Type.Object({
        unit_amount: OrNull(Type.Integer()),
        unit_amount_decimal: OrNull(Decimal),
        tiers: Type.Optional(TiersShape),
      }),
    ),
  ),
  transform_quantity: Type.Optional(OrNull(Type.Object({ divide_by: Type.Integer(), round: Type.String() }))),
});
export type PriceShape = Static<typeof PriceShape>;

export const ItemShape = Type.Object({
  id: Type.String(),
  quantity: Type.Optional(OrNull(Count)),
  current_period_start: Seconds,
  current_period_end: Seconds,
  price: PriceShape,
  discounts: Type.Array(Type.Union([Type.String(), DiscountShape])),
});
export type ItemShape = Static<typeof ItemShape>;

export const InvoicePaymentShape = Type.Object({
  id: Type.String(),
  invoice: Reference,
  status: Type.String(),
  created: Seconds,
  currency: Type.String(),
  amount_paid: OrNull(Count),
  status_transitions: Type.Object({ paid_at: OrNull(Seconds) }),
  /** One of them; a charge only where it has no payment intent. */
  payment: Type.Object({
    payment_intent: Type.Optional(OrNull(Reference)),
    charge: Type.Optional(OrNull(Reference)),
    payment_record: Type.Optional(OrNull(Reference)),
  }),
});
export type InvoicePaymentShape = Static<typeof InvoicePaymentShape>;

export const InvoiceLineShape = Type.Object({
  id: Type.String(),
  amount: Type.Integer(),
  quantity: Type.Optional(OrNull(Count)),
  period: Type.Object({ start: Seconds, end: Seconds }),
  pricing: Type.Optional(
    OrNull(Type.Object({ price_details: Type.Optional(Type.Object({ price: Reference, product: Type.String() })) })),
  ),
  parent: OrNull(
    Type.Object({
      subscription_item_details: Type.Optional(
        OrNull(Type.Object({ subscription: OrNull(Reference), subscription_item: Type.String() })),
      ),
    }),
  ),
});
export type InvoiceLineShape = Static<typeof InvoiceLineShape>;

/** An invoice as far as it says what was paid for. */
export const PaidInvoiceShape = Type.Object({
  id: Type.String(),
  status: Type.Optional(OrNull(Type.String())),
  /** `subscription_create` for a subscription's first. */
  billing_reason: Type.Optional(OrNull(Type.String())),
  amount_paid: Count,
  parent: OrNull(
    Type.Object({ subscription_details: Type.Optional(OrNull(Type.Object({ subscription: Reference }))) }),
  ),
  lines: Type.Object({ data: Type.Array(InvoiceLineShape), has_more: Type.Boolean() }),
  /** Only where it was asked for. */
  payments: Type.Optional(
    Type.Object({ data: Type.Array(InvoicePaymentShape), has_more: Type.Optional(Type.Boolean()) }),
  ),
});
export type PaidInvoiceShape = Static<typeof PaidInvoiceShape>;

export const SubscriptionShape = Type.Object({
  id: Type.String(),
  status: Type.String(),
  collection_method: Type.String(),
  /** What it is paid in. */
  currency: Type.String(),
  created: Seconds,
  start_date: Seconds,
  cancel_at: OrNull(Seconds),
  cancel_at_period_end: Type.Boolean(),
  canceled_at: OrNull(Seconds),
  cancellation_details: Type.Optional(OrNull(Type.Object({ reason: OrNull(Type.String()) }))),
  ended_at: OrNull(Seconds),
  trial_start: OrNull(Seconds),
  trial_end: OrNull(Seconds),
  trial_settings: Type.Optional(
    OrNull(Type.Object({ end_behavior: Type.Object({ missing_payment_method: Type.String() }) })),
  ),
  pause_collection: OrNull(Type.Object({})),
  default_payment_method: OrNull(Reference),
  default_source: Type.Optional(OrNull(Reference)),
  customer: Type.Union([Type.String(), CustomerShape]),
  metadata: Metadata,
  discounts: Type.Array(Type.Union([Type.String(), DiscountShape])),
  items: Type.Object({ data: Type.Array(ItemShape), has_more: Type.Boolean() }),
  /** Whole where it was asked for. */
  latest_invoice: Type.Optional(OrNull(Type.Union([Type.String(), PaidInvoiceShape]))),
});
export type SubscriptionShape = Static<typeof SubscriptionShape>;

export const InvoiceShape = Type.Object({
  id: Type.String(),
  status: Type.Optional(OrNull(Type.String())),
  billing_reason: Type.Optional(OrNull(Type.String())),
  created: Seconds,
  due_date: OrNull(Seconds),
  status_transitions: Type.Object({ finalized_at: OrNull(Seconds) }),
});
export type InvoiceShape = Static<typeof InvoiceShape>;

export const SessionShape = Type.Object({
  id: Type.String(),
  mode: Type.String(),
  status: OrNull(Type.String()),
  payment_status: Type.String(),
  created: Seconds,
  amount_total: OrNull(Type.Integer()),
  currency: OrNull(Type.String()),
  client_reference_id: OrNull(Type.String()),
  customer: OrNull(Type.Union([Type.String(), CustomerShape])),
  payment_intent: OrNull(Reference),
  subscription: OrNull(Reference),
  /** The first invoice of a subscription that was sold. */
  invoice: Type.Optional(OrNull(Reference)),
  metadata: OrNull(Metadata),
  /** What the payer typed. */
  customer_details: Type.Optional(OrNull(Type.Object({ email: Type.Optional(OrNull(Type.String())) }))),
});
export type SessionShape = Static<typeof SessionShape>;

export const LineItemShape = Type.Object({
  id: Type.String(),
  quantity: OrNull(Count),
  price: OrNull(
    Type.Object({ id: Type.String(), product: Reference, recurring: Type.Optional(OrNull(Type.Object({}))) }),
  ),
});
export type LineItemShape = Static<typeof LineItemShape>;

export const ChargeShape = Type.Object({ id: Type.String(), created: Seconds });
export type ChargeShape = Static<typeof ChargeShape>;

/** A charge as far as it says whether there was a refund or a dispute. */
export const ListedChargeShape = Type.Object({
  payment_intent: OrNull(Reference),
  amount_refunded: Count,
  disputed: Type.Boolean(),
  paid: Type.Boolean(),
});

export const PaymentIntentShape = Type.Object({
  id: Type.String(),
  status: Type.String(),
  created: Seconds,
  amount: Count,
  amount_received: Count,
  currency: Type.String(),
  customer: OrNull(Type.Union([Type.String(), CustomerShape])),
  latest_charge: OrNull(Type.Union([Type.String(), ChargeShape])),
  metadata: Metadata,
});
export type PaymentIntentShape = Static<typeof PaymentIntentShape>;

export const RefundShape = Type.Object({
  id: Type.String(),
  amount: Count,
  currency: Type.String(),
  created: Seconds,
  status: OrNull(Type.String()),
  reason: Type.Optional(OrNull(Type.String())),
});
export type RefundShape = Static<typeof RefundShape>;

export const DisputeShape = Type.Object({
  id: Type.String(),
  amount: Count,
  currency: Type.String(),
  status: Type.String(),
  reason: Type.Optional(OrNull(Type.String())),
  created: Seconds,
  balance_transactions: Type.Array(Type.Object({ created: Seconds })),
});
export type DisputeShape = Static<typeof DisputeShape>;
