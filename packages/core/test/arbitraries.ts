/** Random facts, catalogs and moments on a small scale of time, so that windows meet and overlap often. */
import fc from 'fast-check';
import {
  type AccessPolicy,
  type Catalog,
  DEFAULT_ACCESS_POLICY,
  type Fact,
  type GrantFact,
  type InvoicePaymentFact,
  type PurchaseFact,
  type SubscriptionFact,
} from '../src/index.ts';
import { FEATURES, grant, invoicePayment, item, line, purchase, subscription } from './build.ts';

const DAY = 86_400_000;

export const instant = fc.integer({ min: 0, max: 60 }).map((day) => day * DAY);
const optionalInstant = fc.option(instant, { nil: null });

const grants: fc.Arbitrary<GrantFact> = fc
  .record({
    id: fc.integer({ min: 1, max: 9999 }).map((n) => `grant_${n}`),
    feature: fc.constantFrom(...FEATURES),
    effect: fc.constantFrom('allow', 'allow', 'allow', 'deny'),
    value: fc.integer({ min: 0, max: 50 }),
    unlimited: fc.boolean(),
    validFrom: instant,
    validTo: optionalInstant,
    revokedAt: optionalInstant,
  })
  .map((parts) => grant({ ...parts, value: parts.feature === 'seats' && !parts.unlimited ? parts.value : null }));

export const allowGrant = grants.map((fact): GrantFact => ({ ...fact, effect: 'allow', id: 'grant_added' }));
export const denyGrant = grants.map((fact): GrantFact => ({ ...fact, effect: 'deny', id: 'grant_added' }));

const subscriptions: fc.Arbitrary<SubscriptionFact> = fc
  .record({
    id: fc.integer({ min: 1, max: 9999 }).map((n) => `sub_${n}`),
    status: fc.constantFrom(
      'active',
      'trialing',
      'past_due',
      'canceled',
      'incomplete',
      'incomplete_expired',
      'unpaid',
      'paused',
      'status_of_tomorrow',
    ),
    startedAt: instant,
    length: fc.integer({ min: 1, max: 30 }),
    cancelAt: optionalInstant,
    cancelAtPeriodEnd: fc.boolean(),
    endedAt: optionalInstant,
    trialDays: fc.integer({ min: 1, max: 20 }),
    pastDueSince: optionalInstant,
    collectionPaused: fc.boolean(),
    missingPaymentMethod: fc.boolean(),
    trialEndBehavior: fc.constantFrom('create_invoice', 'cancel', 'pause'),
    quantity: fc.option(fc.integer({ min: 1, max: 5 }), { nil: null }),
    priceId: fc.constantFrom('price_pro', 'price_team', 'price_bare'),
  })
  .map(({ length, trialDays, quantity, priceId, ...parts }) =>
    subscription({
      ...parts,
      trialEnd: parts.startedAt + trialDays * DAY,
      items: [
        item({
          priceId,
          productId: 'prod_plan',
          quantity,
          currentPeriodStart: parts.startedAt,
          currentPeriodEnd: parts.startedAt + length * DAY,
        }),
      ],
    }),
  );

const dispute = fc.option(
  fc.record({
    status: fc.constantFrom('needs_response', 'under_review', 'won', 'lost', 'warning_needs_response', 'prevented'),
    openedAt: instant,
    closedAt: fc.constant(null),
  }),
  { nil: null },
);
const moneyBack = { refundedMinor: fc.constantFrom(0, 500, 1000), refundedAt: optionalInstant, dispute };

const purchases: fc.Arbitrary<PurchaseFact> = fc
  .record({
    id: fc.integer({ min: 1, max: 9999 }).map((n) => `pi_${n}`),
    status: fc.constantFrom('paid', 'paid', 'pending', 'failed'),
    paidAt: instant,
    ...moneyBack,
  })
  .map((parts) => purchase(parts));

const lines = fc
  .record({
    days: fc.integer({ min: 1, max: 30 }),
    subscriptionItemId: fc.constantFrom('si_1', 'si_1', 'si_gone'),
    periodStart: instant,
  })
  .map(({ days, ...parts }) => line({ ...parts, periodEnd: parts.periodStart + days * DAY }));

/** Payments of invoices of any of these subscriptions. */
export function invoicePaymentsOf(
  subscriptionIds: readonly string[],
  maxLength = 4,
): fc.Arbitrary<InvoicePaymentFact[]> {
  if (subscriptionIds.length === 0) return fc.constant([]);
  const payment = fc
    .record({
      id: fc.integer({ min: 1, max: 9999 }).map((n) => `pi_invoice_${n}`),
      lines: fc.array(fc.tuple(lines, fc.constantFrom(...subscriptionIds)), { minLength: 1, maxLength: 3 }),
      ...moneyBack,
    })
    .map((parts) =>
      invoicePayment({ ...parts, lines: parts.lines.map(([of, subscriptionId]) => ({ ...of, subscriptionId })) }),
    );
  return fc.uniqueArray(payment, { maxLength, selector: (fact) => fact.id });
}

/** Facts without refunds or disputes of invoices. */
export const standing: fc.Arbitrary<Fact[]> = fc.uniqueArray(fc.oneof(grants, subscriptions, purchases), {
  maxLength: 7,
  selector: (fact) => fact.id,
});

export const facts: fc.Arbitrary<Fact[]> = standing.chain((list) =>
  invoicePaymentsOf(subscriptionIdsIn(list)).map((payments) => [...list, ...payments]),
);

export function subscriptionIdsIn(list: readonly Fact[]): string[] {
  return list.flatMap((fact) => (fact.kind === 'subscription' ? [fact.id] : []));
}

export const policy: fc.Arbitrary<AccessPolicy> = fc
  .record({
    dispute: fc.constantFrom('suspend', 'keep'),
    partialRefund: fc.constantFrom('keep', 'revoke'),
    subscriptionRefund: fc.constantFrom('ignore', 'revoke_period'),
    pauseCollection: fc.constantFrom('grant', 'deny'),
    trial: fc.constantFrom('grant', 'deny'),
  })
  .map((parts) => ({ ...DEFAULT_ACCESS_POLICY, ...parts }));

export const catalog: fc.Arbitrary<Catalog> = fc
  .record({
    aggregation: fc.constantFrom('max', 'sum'),
    accessDays: fc.option(fc.integer({ min: 1, max: 20 }), { nil: null }),
  })
  .map(({ aggregation, accessDays }) => ({
    features: {
      pro_export: { code: 'pro_export', type: 'boolean', aggregation: 'max' },
      seats: { code: 'seats', type: 'limit', aggregation },
    },
    products: {
      prod_plan: [
        { code: 'pro_export', value: null, unlimited: false, perUnit: false, accessDays },
        { code: 'seats', value: 2, unlimited: false, perUnit: false, accessDays },
      ],
    },
    prices: { price_team: [{ code: 'seats', value: 3, unlimited: false, perUnit: true, accessDays }] },
  }));
