/** Facts with plain defaults: a test names only what it is about. */
import type {
  GrantFact,
  InvoiceLine,
  InvoicePaymentFact,
  PriceTerms,
  PurchaseFact,
  SubscriptionFact,
  SubscriptionItem,
} from '../src/index.ts';

export const DAY = 86_400_000;
export const HOUR = 3_600_000;
export const FEATURES = ['pro_export', 'seats'] as const;

export function subscription(parts: Partial<SubscriptionFact> = {}): SubscriptionFact {
  return {
    kind: 'subscription',
    id: 'sub_1',
    status: 'active',
    items: [item()],
    startedAt: 0,
    cancelAt: null,
    cancelAtPeriodEnd: false,
    canceledAt: null,
    endedAt: null,
    trialStart: null,
    trialEnd: null,
    trialEndBehavior: 'create_invoice',
    collectionPaused: false,
    pastDueSince: null,
    discounts: [],
    missingPaymentMethod: false,
    ...parts,
  };
}

export function item(parts: Partial<SubscriptionItem> = {}): SubscriptionItem {
  return {
    id: 'si_1',
    priceId: 'price_pro',
    productId: 'prod_plan',
    quantity: 1,
    currentPeriodStart: 0,
    currentPeriodEnd: 30 * DAY,
    price: terms(),
    discounts: [],
    ...parts,
  };
}

export function terms(parts: Partial<PriceTerms> = {}): PriceTerms {
  return {
    currency: 'usd',
    unitAmount: 1000,
    unitAmountDecimal: null,
    interval: 'month',
    intervalCount: 1,
    usageType: 'licensed',
    billingScheme: 'per_unit',
    tiersMode: null,
    tiers: [],
    transformQuantity: null,
    ...parts,
  };
}

export function purchase(parts: Partial<PurchaseFact> = {}): PurchaseFact {
  return {
    kind: 'purchase',
    id: 'pi_1',
    checkoutSessionId: 'cs_1',
    status: 'paid',
    paidAt: 0,
    lines: [{ priceId: 'price_once', productId: 'prod_plan', quantity: 1 }],
    currency: 'usd',
    amountMinor: 1000,
    refundedMinor: 0,
    refundedAt: null,
    dispute: null,
    ...parts,
  };
}

export function invoicePayment(parts: Partial<InvoicePaymentFact> = {}): InvoicePaymentFact {
  return {
    kind: 'invoice_payment',
    id: 'pi_invoice',
    invoiceIds: ['in_1'],
    currency: 'usd',
    amountMinor: 1000,
    lines: [line()],
    refundedMinor: 0,
    refundedAt: null,
    dispute: null,
    ...parts,
  };
}

export function line(parts: Partial<InvoiceLine> = {}): InvoiceLine {
  return {
    subscriptionId: 'sub_1',
    subscriptionItemId: 'si_1',
    productId: 'prod_plan',
    priceId: 'price_pro',
    periodStart: 0,
    periodEnd: 30 * DAY,
    amountMinor: 1000,
    ...parts,
  };
}

export function grant(parts: Partial<GrantFact> = {}): GrantFact {
  return {
    kind: 'grant',
    id: 'grant_1',
    feature: 'pro_export',
    effect: 'allow',
    value: null,
    unlimited: false,
    validFrom: 0,
    validTo: null,
    revokedAt: null,
    ...parts,
  };
}
