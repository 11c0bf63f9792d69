/**
 * The stored objects, in the shapes of the pinned API version, a family a file. References are always ids here;
 * expansion happens when an object is rendered. What a rendered object must not show is kept under `$`.
 */

import type { Price, Product } from './model/catalog.ts';
import type { BalanceTransaction, Charge, Refund } from './model/charges.ts';
import type { CheckoutSession } from './model/checkout.ts';
import type { Customer, CustomerBalanceTransaction } from './model/customers.ts';
import type { Coupon, Discount, PromotionCode } from './model/discounts.ts';
import type { Dispute } from './model/disputes.ts';
import type { ActiveEntitlement, Feature, ProductFeature } from './model/entitlements.ts';
import type { StripeEvent, WebhookEndpoint } from './model/events.ts';
import type { PaymentIntent, SetupIntent } from './model/intents.ts';
import type { Invoice, InvoiceItem, InvoicePayment } from './model/invoices.ts';
import type { PaymentLink } from './model/payment-links.ts';
import type { Card, PaymentMethod } from './model/payment-methods.ts';
import type { PortalConfiguration, PortalSession } from './model/portal.ts';
import type { SubscriptionSchedule } from './model/schedules.ts';
import type { Subscription } from './model/subscriptions.ts';
import type { TestClock } from './model/test-clocks.ts';

export type * from './model/catalog.ts';
export type * from './model/charges.ts';
export type * from './model/checkout.ts';
export type * from './model/customers.ts';
export type * from './model/discounts.ts';
export type * from './model/disputes.ts';
export type * from './model/entitlements.ts';
export type * from './model/events.ts';
export type * from './model/intents.ts';
export type * from './model/invoices.ts';
export type * from './model/payment-links.ts';
export type * from './model/payment-methods.ts';
export type * from './model/portal.ts';
export type * from './model/schedules.ts';
export type * from './model/shared.ts';
export type * from './model/subscriptions.ts';
export type * from './model/test-clocks.ts';

export const API_VERSION = '2026-10-28.endive';

/** What is left of an object that was deleted. */
export interface Deleted {
  id: string;
  object: Kind;
  deleted: true;
}

/** Every kind of object that is stored, by the name that Stripe gives it in `object`. */
export interface Kinds {
  balance_transaction: BalanceTransaction;
  'entitlements.active_entitlement': ActiveEntitlement;
  'entitlements.feature': Feature;
  product_feature: ProductFeature;
  'billing_portal.configuration': PortalConfiguration;
  'billing_portal.session': PortalSession;
  card: Card;
  charge: Charge;
  'checkout.session': CheckoutSession;
  coupon: Coupon;
  customer: Customer;
  customer_balance_transaction: CustomerBalanceTransaction;
  deleted: Deleted;
  discount: Discount;
  dispute: Dispute;
  event: StripeEvent;
  invoice: Invoice;
  invoice_payment: InvoicePayment;
  invoiceitem: InvoiceItem;
  payment_intent: PaymentIntent;
  payment_link: PaymentLink;
  payment_method: PaymentMethod;
  price: Price;
  product: Product;
  promotion_code: PromotionCode;
  refund: Refund;
  setup_intent: SetupIntent;
  subscription: Subscription;
  subscription_schedule: SubscriptionSchedule;
  'test_helpers.test_clock': TestClock;
  webhook_endpoint: WebhookEndpoint;
}

export type Kind = keyof Kinds;
