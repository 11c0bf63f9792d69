import { wakeParked } from '../catalog/wake-parked.ts';
import type { Tx } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { currentFact } from './current-fact.ts';
import { type FetchedInvoice, fetchInvoice } from './fetch-invoice.ts';
import { idOrNull } from './parse-shape.ts';
import { recordInvoicePayments } from './record-invoice-payments.ts';
import { holdObjects } from './sequence.ts';
import type { MirrorDeps, SyncRequest, SyncResult } from './types.ts';

/**
 * The invoice of a subscription: what was paid of it goes into the ledger. It has no number of its own, since a payment
 * that went through stays as it is; whose it is is the subscription's to say.
 */
export async function syncInvoice(deps: MirrorDeps, { connectionId, ref }: SyncRequest): Promise<SyncResult> {
  const fetched = await fetchInvoice(deps.connections.get(connectionId), ref.id);
  if (fetched === null) return ignored('missing_in_stripe');
  return await deps.db.transaction().execute((tx) => saveInvoice(tx, connectionId, fetched));
}

/**
 * The invoices that somebody spoke of, so far as the ledger has nothing of them: one that is paid late is not its
 * subscription's latest any more, and of two that are paid together only one is.
 * @param named - ids of invoices of a subscription that is known
 */
export async function syncNamedInvoices(
  { db }: Pick<MirrorDeps, 'db'>,
  connection: StripeConnection,
  named: readonly string[],
): Promise<void> {
  if (named.length === 0) return;
  const rows = await db
    .selectFrom('tollgate.payments')
    .select('invoice_id')
    .where('connection_id', '=', connection.id)
    .where((of) => of('invoice_id', '=', of.fn.any(of.val([...named]))))
    .execute();
  const known = new Set(rows.map(({ invoice_id }) => invoice_id));
  for (const id of named) {
    if (known.has(id)) continue;
    const fetched = await fetchInvoice(connection, id);
    if (fetched !== null) await db.transaction().execute((tx) => saveInvoice(tx, connection.id, fetched));
  }
}

async function saveInvoice(
  tx: Tx,
  connectionId: string,
  { subscriptionId, shares }: FetchedInvoice,
): Promise<SyncResult> {
  if (subscriptionId === null) return ignored('invoice_without_subscription');
  // Whoever takes the subscription to another customer takes along the payments that are there by then.
  await holdObjects(tx, connectionId, [subscriptionId]);
  const owner = await currentFact(tx, connectionId, 'subscription', subscriptionId);
  if (owner === undefined) return ignored('subscription_not_kept');
  const owned = { projectId: owner.projectId, customerId: owner.customerId };
  const written = await recordInvoicePayments(tx, connectionId, [{ ...owned, payments: shares }]);
  if (written === 0) return { status: 'unchanged', reason: null, ...owned };
  // A refund or dispute names the payment alone.
  for (const { payment } of shares) {
    const intent = idOrNull(payment.payment.payment_intent);
    if (intent !== null) await wakeParked(tx, connectionId, intent);
  }
  return { status: 'applied', reason: null, ...owned };
}

function ignored(reason: string): SyncResult {
  return { status: 'ignored', reason, projectId: null, customerId: null };
}
