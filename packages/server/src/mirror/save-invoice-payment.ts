import { lockCustomer } from '../customers/lock.ts';
import { recomputeCustomer } from '../entitlements/recompute.ts';
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

export interface PaymentOwner {
  projectId: string;
  customerId: string;
}

/**
 * Saves the payment of a subscription's invoice for whoever has the subscription: in the ledger, and as a fact where it has
 * a refund or a dispute. Within the order of the payment's fetches.
 * @param owners - where it paid for subscriptions of several, all of them: it counts for each (`facts/shared-payments.ts`), and
 *   is whose it was, or else the first one's
 */
export async function saveInvoicePayment(
  tx: Tx,
  owners: readonly [PaymentOwner, ...PaymentOwner[]],
  paid: FetchedInvoicePayment,
  fetch: Fetch,
  cause: Cause,
): Promise<SyncResult> {
  const known = await currentFact(tx, fetch.connectionId, 'invoice_payment', paid.id);
  const standing = owners.find(({ customerId }) => customerId === known?.customerId);
  const { projectId, customerId } = standing ?? owners[0];
  const owned = { projectId, customerId };
  // The subscription has gone to another customer since.
  const displaced = known === undefined || standing !== undefined ? [] : [known.customerId];
  const concerned = owners.map((owner) => owner.customerId);
  for (const id of [...concerned, ...displaced].sort()) await lockCustomer(tx, id);
  const chargeId = paid.charge?.id ?? null;
  await recordInvoicePayments(tx, fetch.connectionId, [{ ...owned, payments: paid.paid, chargeId }], 'whole');
  await recordMoneyBack(tx, fetch.connectionId, { ...owned, id: paid.id }, paid);
  // A payment that simply went through is in the ledger; as a fact it would say nothing.
  if (known === undefined && !hasMoneyBack(paid)) return { status: 'unchanged', reason: null, ...owned };
  const result = await saveOwned(tx, { ...owned, displaced, fact: invoicePaymentFact(paid), fetch, cause });
  for (const other of concerned.filter((id) => id !== customerId)) {
    await recomputeCustomer(tx, { customerId: other, cause, now: fetch.now });
  }
  return result;
}
