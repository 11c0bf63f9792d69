import type Stripe from 'stripe';
import { expectTypeOf, test } from 'vitest';
import type * as model from '../src/model.ts';

type RequiredKeys<T> = { [K in keyof T]-?: object extends Pick<T, K> ? never : K }[keyof T];
/** The fields that the official client's types promise and the sandbox's objects do not have. */
type Missing<Theirs, Ours> = Exclude<RequiredKeys<Theirs>, keyof Ours | 'lastResponse'>;

test('the sandbox’s objects have every field that the official client’s types promise', () => {
  expectTypeOf<Missing<Stripe.Product, model.Product>>().toBeNever();
  expectTypeOf<Missing<Stripe.Price, model.Price>>().toBeNever();
  expectTypeOf<Missing<Stripe.Customer, model.Customer>>().toBeNever();
  expectTypeOf<Missing<Stripe.PaymentMethod, model.PaymentMethod>>().toBeNever();
  expectTypeOf<Missing<Stripe.SetupIntent, model.SetupIntent>>().toBeNever();
  expectTypeOf<Missing<Stripe.Checkout.Session, model.CheckoutSession>>().toBeNever();
  expectTypeOf<Missing<Stripe.LineItem, model.LineItem>>().toBeNever();
  expectTypeOf<Missing<Stripe.Subscription, model.Subscription>>().toBeNever();
  expectTypeOf<Missing<Stripe.SubscriptionItem, model.SubscriptionItem>>().toBeNever();
  expectTypeOf<Missing<Stripe.Invoice, model.Invoice>>().toBeNever();
  expectTypeOf<Missing<Stripe.InvoiceLineItem, model.InvoiceLine>>().toBeNever();
  expectTypeOf<Missing<Stripe.InvoiceItem, model.InvoiceItem>>().toBeNever();
  expectTypeOf<Missing<Stripe.InvoicePayment, model.InvoicePayment>>().toBeNever();
  expectTypeOf<Missing<Stripe.PaymentIntent, model.PaymentIntent>>().toBeNever();
  expectTypeOf<Missing<Stripe.Charge, model.Charge>>().toBeNever();
  expectTypeOf<Missing<Stripe.Refund, model.Refund>>().toBeNever();
  expectTypeOf<Missing<Stripe.Dispute, model.Dispute>>().toBeNever();
  expectTypeOf<Missing<Stripe.Coupon, model.Coupon>>().toBeNever();
  expectTypeOf<Missing<Stripe.PromotionCode, model.PromotionCode>>().toBeNever();
  expectTypeOf<Missing<Stripe.Discount, model.Discount>>().toBeNever();
  expectTypeOf<Missing<Stripe.BillingPortal.Session, model.PortalSession>>().toBeNever();
  expectTypeOf<Missing<Stripe.BillingPortal.Configuration, model.PortalConfiguration>>().toBeNever();
  expectTypeOf<Missing<Stripe.WebhookEndpoint, model.WebhookEndpoint>>().toBeNever();
  expectTypeOf<Missing<Stripe.TestHelpers.TestClock, model.TestClock>>().toBeNever();
  expectTypeOf<Missing<Stripe.Event, model.StripeEvent>>().toBeNever();
});
