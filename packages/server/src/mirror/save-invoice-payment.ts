import { lockCustomer } from '../customers/lock.ts';
import type { Cause } from '../facts/cause.ts';
import type { Tx } from '../platform/database.ts';
import { currentFact } from './current-fact.ts';
import type { FetchedInvoicePayment } from './fetch-invoice-payment.ts';
import { hasMoneyBack, invoicePaymentFact } from './invoice-payment-fact.ts';
import { recordInvoicePayments } from './record-invoice-payments.ts';
import { recordMoneyBack } from './record-money-back.ts';
import { saveOwned } from './save-owned.ts';
import type { Fetch } from './sequence.ts';
import type { SyncResult } from './types.ts';

/**
 * Saves the payment of a subscription's invoice for whoever has the subscription: in the ledger, and as a fact where it has
 * a refund or a dispute. Within the order of the payment's fetches.
 */
export async function saveInvoicePayment(
  tx: Tx,
  owner: { projectId: string; customerId: string },
  paid: FetchedInvoicePayment,
  fetch: Fetch,
  cause: Cause,
): Promise<SyncResult> {
  const owned = { projectId: owner.projectId, customerId: owner.customerId };
  const known = await currentFact(tx, fetch.connectionId, 'invoice_payment', paid.id);
  // The subscription has gone to another customer since.
  const displaced = known === undefined || known.customerId === owned.customerId ? [] : [known.customerId];
  for (const id of [owned.customerId, ...displaced].sort()) await lockCustomer(tx, id);
  const chargeId = paid.charge?.id ?? null;
  await recordInvoicePayments(tx, fetch.connectionId, [{ ...owned, payments: paid.paid, chargeId }]);
  await recordMoneyBack(tx, fetch.connectionId, { ...owned, id: paid.id }, paid);
  // A payment that simply went through is in the ledger; as a fact it would say nothing.
  if (known === undefined && !hasMoneyBack(paid)) return { status: 'unchanged', reason: null, ...owned };
  return await saveOwned(tx, { ...owned, displaced, fact: invoicePaymentFact(paid), fetch, cause });
}
