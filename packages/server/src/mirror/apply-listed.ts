import type { SubscriptionFact } from '@tollgate/core';
import type { CustomerRow } from '../customers/find.ts';
import { recomputeLocked } from '../entitlements/recompute.ts';
import { readRules } from '../entitlements/rules.ts';
import type { Cause } from '../facts/cause.ts';
import { saveNewFacts } from '../facts/save-new-facts.ts';
import type { Tx } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import type { AttributionHints } from './attribute.ts';
import type { InvoiceShare } from './fetch-invoice-payment.ts';
import { markFirstApplied, takeFirstNumbers } from './first-numbers.ts';
import { linkListed } from './link-listed.ts';
import { ownersOfListed } from './owners-of-listed.ts';
import { idOrNull } from './parse-shape.ts';
import { recordInvoicePayments } from './record-invoice-payments.ts';
import { recordTrialsOf } from './record-trials.ts';
import { holdObjects } from './sequence.ts';
import type { CustomerShape } from './shapes.ts';
import { wakeNamed } from './wake-named.ts';

/** A subscription as Stripe's list shows it, with what says whose it is. */
export interface ListedSubscription {
  fact: SubscriptionFact;
  customer: CustomerShape;
  /** Of its latest invoice. */
  payments: readonly InvoiceShare[];
  hints: AttributionHints;
}

export interface Applied {
  /** The ids of the subscriptions that were applied. */
  ids: ReadonlySet<string>;
  /** Whose they are, each customer once. */
  customers: readonly CustomerRow[];
}

const NOTHING: Applied = { ids: new Set(), customers: [] };

/**
 * Applies listed subscriptions of one project that nobody has looked at yet, all together.
 *
 * No number can be taken before a list for what it will show. But an object of which nobody has taken a number by now has
 * no other fetch under way: it gets its first, and whoever fetches it after us has a higher one. What somebody has
 * looked at before is left to `syncObject`, which fetches it again.
 *
 * The order of locks is that of everywhere: the objects' numbers, the customers, the rest, each in the order of ids.
 */
export async function applyListed(
  tx: Tx,
  connection: StripeConnection,
  projectId: string,
  listed: readonly ListedSubscription[],
  { cause, now }: { cause: Cause; now: number },
): Promise<Applied> {
  const fresh = await takeFirstNumbers(
    tx,
    connection.id,
    listed.map(({ fact }) => fact.id),
  );
  const first = listed.filter(({ fact }) => fresh.has(fact.id));
  // None of them can be deleted unseen while it is linked.
  await holdObjects(
    tx,
    connection.id,
    first.map(({ customer }) => customer.id),
  );
  const owned = await ownersOfListed(tx, connection, projectId, first, now);
  if (owned.length === 0) return NOTHING;
  await linkListed(tx, connection, owned, now);
  const recordedAt = new Date(now);
  const facts = owned.map(({ customer, listed: { fact } }) => ({
    projectId,
    customerId: customer.id,
    fact,
    sequence: 1,
    cause,
    recordedAt,
  }));
  const saved = await saveNewFacts(tx, facts);
  await recordTrialsOf(
    tx,
    owned.map(({ customer, listed: { fact } }) => ({ customerId: customer.id, fact })),
  );
  await recordInvoicePayments(
    tx,
    connection.id,
    owned.map(({ customer, listed: { payments } }) => ({ projectId, customerId: customer.id, payments })),
  );
  const customers = [...new Map(owned.map(({ customer }) => [customer.id, customer])).values()];
  await recomputeLocked(tx, await readRules(tx, projectId), customers, cause, now);
  // A refund or dispute names the payment alone.
  const payments = owned.flatMap(({ listed }) => listed.payments.map(({ payment }) => payment.payment.payment_intent));
  const intents = payments.map(idOrNull).filter((id) => id !== null);
  await wakeNamed(tx, connection.id, [...saved, ...intents]);
  await markFirstApplied(tx, connection.id, [...saved], recordedAt);
  return { ids: saved, customers };
}
