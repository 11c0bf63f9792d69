/**
 * What a subscription that nobody here knew brings with it: what was paid for it before, and what became of that money. It
 * is fetched before the subscription is saved, so that its first snapshot already gives nothing for a disputed payment.
 */
import type { Database } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { type AttributionHints, attribute } from './attribute.ts';
import { currentFact } from './current-fact.ts';
import { fetchPaidInvoices } from './fetch-invoice.ts';
import { fetchInvoicePayment, type InvoiceShare, type NumberedPayment, paymentsIn } from './fetch-invoice-payment.ts';
import { fetchPayment } from './fetch-purchase.ts';
import type { FetchedSubscription } from './fetch-subscription.ts';
import { hasMoneyBack } from './invoice-payment-fact.ts';
import { idOrNull, parseShape } from './parse-shape.ts';
import { takeNumber } from './sequence.ts';
import { ListedChargeShape } from './shapes.ts';
import { hasEnded } from './subscription-fact.ts';
import type { MirrorDeps, SyncRequest } from './types.ts';

export interface Brought {
  /** What was paid besides the latest invoice. Later payments come one by one, with the events that tell of them. */
  earlier: readonly InvoiceShare[];
  /** Payments with a refund or a dispute that are no facts yet. */
  moneyBack: readonly NumberedPayment[];
  /** The payment intents of which Stripe has said whether they had any. */
  examined: ReadonlySet<string>;
}

const NOTHING: Brought = { earlier: [], moneyBack: [], examined: new Set() };

/** So soon after a payment only its own event tells of a refund or a dispute. */
const JUST_PAID_MS = 5 * 60_000;

/**
 * Asks Stripe only where there can be any of it; nothing of a subscription that is known already, or nobody's still.
 * @param given - the payment that somebody looks at just now
 */
export async function firstLook(
  deps: MirrorDeps,
  connection: StripeConnection,
  request: SyncRequest,
  fetched: FetchedSubscription,
  { hints, given }: { hints: AttributionHints; given: NumberedPayment | null },
): Promise<Brought> {
  const { db } = deps;
  const { id, latest_invoice: latest, status } = fetched.subscription;
  if (latest === null || latest === undefined || typeof latest === 'string') return NOTHING;
  if ((await currentFact(db, connection.id, 'subscription', id)) !== undefined) return NOTHING;
  const isNews = given !== null && hasMoneyBack(given.paid) && !(await isFact(db, connection, given.paid.id));
  const moneyBack = isNews ? [given] : [];
  const newest = paymentsIn(latest);
  const isFirst = latest.billing_reason === 'subscription_create';
  if (isFirst && !(await mayHaveGoneBack(deps, request, newest))) return { ...NOTHING, moneyBack };
  const owner = await attribute(db, connection, hints);
  if (owner.status === 'ignored' || owner.status === 'parked') return NOTHING;
  const invoices = isFirst ? [] : await fetchPaidInvoices(connection, id);
  const earlier = invoices.filter((invoice) => invoice.id !== latest.id).flatMap(({ shares }) => shares);
  // What has ended gives nobody access.
  if (hasEnded(status) || fetched.customer.deleted === true) return { ...NOTHING, earlier, moneyBack };
  const payments = [...newest, ...earlier];
  if (!(await mayHaveGoneBack(deps, request, payments))) return { ...NOTHING, earlier, moneyBack };
  const intents = new Set(intentsOf(payments));
  if (given !== null) intents.delete(given.paid.id);
  const { examined, found: others } = await fetchMoneyBackOf(deps, connection, fetched.customer.id, intents);
  return { earlier, moneyBack: [...moneyBack, ...others], examined };
}

/**
 * What was paid just now, and is heard of for the first time, is a checkout like most: its refund or dispute would have an
 * event of its own. Whoever looks later or for another reason may have missed that one.
 */
async function mayHaveGoneBack(
  { db, clock }: MirrorDeps,
  { connectionId, ref, cause }: SyncRequest,
  payments: readonly InvoiceShare[],
): Promise<boolean> {
  const intents = intentsOf(payments);
  if (intents.length === 0) return false;
  if (cause.type !== 'event' && cause.type !== 'checkout') return true;
  const before = (clock.now() - JUST_PAID_MS) / 1000;
  if (payments.some(({ payment }) => (payment.status_transitions.paid_at ?? payment.created) < before)) return true;
  // Of payments no other events are kept than those of refunds and disputes.
  const told = db
    .selectFrom('tollgate.events')
    .select('object_id')
    .where('connection_id', '=', connectionId)
    .where('object_type', '=', 'payment')
    .where('object_id', 'in', intents);
  const waited = db
    .selectFrom('tollgate.parked_objects')
    .select('object_id')
    .where('connection_id', '=', connectionId)
    .where('object_type', '=', 'subscription')
    .where('object_id', '=', ref.id);
  return (await told.unionAll(waited).limit(1).executeTakeFirst()) !== undefined;
}

function intentsOf(payments: readonly InvoiceShare[]): string[] {
  return payments
    .filter(({ payment }) => payment.status === 'paid')
    .map(({ payment }) => idOrNull(payment.payment.payment_intent))
    .filter((id) => id !== null);
}

/** A call for a hundred charges of the customer says which payments have any; only those are fetched. */
async function fetchMoneyBackOf(
  { db }: MirrorDeps,
  connection: StripeConnection,
  customer: string,
  intents: ReadonlySet<string>,
): Promise<{ examined: ReadonlySet<string>; found: NumberedPayment[] }> {
  const open = new Set(intents);
  const concerned = new Set<string>();
  const found: NumberedPayment[] = [];
  if (open.size === 0) return { examined: intents, found };
  for await (const listed of connection.client.charges.list({ customer, limit: 100 })) {
    const charge = parseShape(ListedChargeShape, listed, 'charge');
    const intent = idOrNull(charge.payment_intent);
    if (intent === null || !intents.has(intent)) continue;
    if (charge.amount_refunded > 0 || charge.disputed) concerned.add(intent);
    // Of those that failed there may be several before the one that went through.
    if (charge.paid) open.delete(intent);
    if (open.size === 0) break;
  }
  for (const id of [...concerned].sort()) {
    if (await isFact(db, connection, id)) continue;
    const sequence = await takeNumber(db, connection.id, id);
    const payment = await fetchPayment(connection, id);
    const paid = payment === null ? null : await fetchInvoicePayment(connection, payment);
    if (paid !== null && hasMoneyBack(paid)) found.push({ paid, sequence });
  }
  return { examined: new Set([...intents].filter((id) => !open.has(id))), found };
}

/** It paid for another subscription too, and counts for this one without anybody looking. */
async function isFact(db: Database, connection: StripeConnection, id: string): Promise<boolean> {
  return (await currentFact(db, connection.id, 'invoice_payment', id)) !== undefined;
}
