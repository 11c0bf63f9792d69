/**
 * Whether the payment that a subscription began with has arrived. With a method that settles days later Stripe makes a
 * subscription `active` at once; when the money does not come it voids the invoice and leaves the subscription `active`.
 * Only the invoices tell.
 */
import type { SubscriptionFact } from '@tollgate/core';
import type { StripeConnection } from '../stripe/connections.ts';
import { parseShape } from './parse-shape.ts';
import { InvoiceShape, type SubscriptionShape } from './shapes.ts';

/** Null: nothing is owed for its beginning. */
export type FirstPayment = SubscriptionFact['firstPayment'] | null;

/** What a subscription and its latest invoice say by themselves; undefined: only the other invoices tell. */
export function firstPaymentSaid(
  sub: Pick<SubscriptionShape, 'status' | 'collection_method' | 'latest_invoice'>,
): FirstPayment | undefined {
  const { status, collection_method: collection, latest_invoice: latest } = sub;
  // An invoice that was sent is paid when it is due, and what never began gives nothing anyway.
  const isLive = status === 'active' || status === 'trialing' || status === 'past_due';
  if (collection === 'send_invoice' || !(isLive || status === 'canceled')) return null;
  if (latest === null || latest === undefined) return null;
  const said = typeof latest === 'string' ? undefined : saidBy(latest);
  // What has ended gives nothing any more: it is worth no call.
  return said === undefined && status === 'canceled' ? null : said;
}

/** Asks for its invoices, newest first, as far as the one that tells: of most, no more than a page. */
export async function fetchFirstPayment({ client }: StripeConnection, subscription: string): Promise<FirstPayment> {
  for await (const listed of client.invoices.list({ subscription, limit: 100 })) {
    const said = saidBy(parseShape(InvoiceShape, listed, 'invoice'));
    if (said !== undefined) return said;
  }
  return null;
}

/** A renewal that was paid makes good for a beginning that was not. */
function saidBy({ billing_reason: reason, status }: Pick<InvoiceShape, 'billing_reason' | 'status'>) {
  if (reason === 'subscription_cycle' && status === 'paid') return null;
  if (reason !== 'subscription_create') return undefined;
  if (status === 'open') return 'pending';
  return status === 'void' ? 'failed' : null;
}
