import { type Attribution, attribute } from '../mirror/attribute.ts';
import { type FetchedInvoicePayment, fetchInvoicePayment } from '../mirror/fetch-invoice-payment.ts';
import { fetchPayment } from '../mirror/fetch-purchase.ts';
import { type FetchedSubscription, fetchSubscription } from '../mirror/fetch-subscription.ts';
import { hasMoneyBack, invoicePaymentFact } from '../mirror/invoice-payment-fact.ts';
import { listMoneyBack } from '../mirror/list-money-back.ts';
import { idOrNull } from '../mirror/parse-shape.ts';
import { hasEnded } from '../mirror/subscription-fact.ts';
import { completeHints } from '../mirror/sync-subscription.ts';
import type { Stripe } from '../stripe/types.ts';
import type { Kind, Look, Verdict } from './kind.ts';
import { customerFilter } from './scope-filter.ts';
import { storedFact, unmetFacts } from './stored-facts.ts';
import { compareFact, outOfScope, ownerOf } from './verdicts.ts';

/** What tells that a payment's money went back, or may: of one customer, its charges. */
type Sign = Stripe.Refund | Stripe.Dispute | Stripe.Charge;

/**
 * Payments of subscriptions' invoices that were refunded or disputed, found through Stripe's refunds and disputes: those
 * are few, however many payments there are.
 */
export const invoicePayments: Kind<Sign> = {
  name: 'invoice_payment',
  refOf: (id) => ({ type: 'payment', id }),
  unmet: (look, page) => unmetFacts(look, 'invoice_payment', page),

  storedId(sign) {
    if (sign.object === 'charge' && sign.amount_refunded === 0 && !sign.disputed) return null;
    return idOrNull(sign.payment_intent);
  },

  async list(look, { limit, startingAfter }) {
    const customer = await customerFilter(look);
    if (customer === 'nobody') return { data: [], has_more: false };
    // Refunds and disputes cannot be listed by customer.
    if (customer.customer === undefined) return await listMoneyBack(look.connection, { limit, startingAfter });
    const after = startingAfter === undefined ? {} : { starting_after: startingAfter };
    return await look.connection.client.charges.list({ ...customer, limit, ...after });
  },

  async compare(look, sign) {
    const id = this.storedId(sign);
    return id === null ? { status: 'ignored' } : await this.compareOne(look, id);
  },

  async compareOne(look, id) {
    // A purchase is compared as such, with its refunds and disputes.
    if ((await storedFact(look, 'purchase', id)) !== undefined) return { status: 'ignored' };
    const fetched = await look.ask('invoice_payment', () => fetchById(look, id));
    if (fetched !== null) return await compareFetched(look, fetched);
    // With the payment Stripe lost its subscription, which ends by itself.
    return (await storedFact(look, 'invoice_payment', id)) === undefined
      ? { status: 'ignored' }
      : { status: 'in_sync' };
  },
};

async function fetchById({ connection }: Look, id: string): Promise<FetchedInvoicePayment | null> {
  const payment = await fetchPayment(connection, id);
  if (payment === null || payment.session?.mode === 'payment') return null;
  return await fetchInvoicePayment(connection, payment);
}

async function compareFetched(look: Look, fetched: FetchedInvoicePayment): Promise<Verdict> {
  const stored = await storedFact(look, 'invoice_payment', fetched.id);
  if (stored === undefined && !hasMoneyBack(fetched)) return { status: 'ignored' };
  const found = await ownerOfPayment(look, fetched, stored?.customerId);
  if (found.status === 'ignored' || found.status === 'parked') return { status: found.status };
  if (outOfScope(look.scope, ownerOf(found))) return { status: 'out_of_scope' };
  return compareFact(stored, invoicePaymentFact(fetched), ownerOf(found));
}

/**
 * Whoever has the subscription, or is to have it once that is known.
 * @param has - who has the payment: it stays with one of several who have a subscription that it paid for
 */
async function ownerOfPayment(
  look: Look,
  fetched: FetchedInvoicePayment,
  has: string | undefined,
): Promise<Attribution> {
  const { paid } = fetched;
  const ids = [...new Set(paid.map(({ subscriptionId }) => subscriptionId))].sort();
  const stored = await Promise.all(ids.map((id) => storedFact(look, 'subscription', id)));
  const owners = stored.filter((one) => one !== undefined);
  const owner = owners.find(({ customerId }) => customerId === has) ?? owners[0];
  if (owner !== undefined) {
    const { projectId, customerId } = owner;
    return { status: 'ours', projectId, customerId, proven: false, displaced: [] };
  }
  let found: Attribution = { status: 'ignored', reason: 'not_ours' };
  for (const id of ids) {
    if (found.status !== 'ignored') break;
    const subscription = await look.ask('subscription', () => fetchSubscription(look.connection, id));
    if (subscription === null) continue;
    const hints = await look.ask('subscription', () => completeHints(look, look.connection, subscription, null));
    found = await attribute(look.db, look.connection, hints);
    if ('projectId' in found && comesAlong(fetched, subscription)) return { status: 'ignored', reason: 'not_ours' };
  }
  return found;
}

/**
 * Whether the payment is found with its subscription, which is missing too, and is no drift of its own: a first look at one
 * that stands asks what became of its payments (`mirror/first-look.ts`).
 */
function comesAlong(payment: FetchedInvoicePayment, { subscription, customer }: FetchedSubscription): boolean {
  const { refundedMinor, dispute } = invoicePaymentFact(payment);
  return (refundedMinor > 0 || dispute !== null) && !hasEnded(subscription.status) && customer.deleted !== true;
}
