import { endPurchase } from './end-purchase.ts';
import { fetchInvoicePayment } from './fetch-invoice-payment.ts';
import { fetchPayment, purchaseOfPayment } from './fetch-purchase.ts';
import { parkedPurchase, savePurchase } from './save-purchase.ts';
import { applyInOrder, type Fetch, takeNumber } from './sequence.ts';
import { syncInvoicePayment } from './sync-invoice-payment.ts';
import type { MirrorDeps, SyncRequest, SyncResult } from './types.ts';

/** A payment intent: of a one-off checkout session its purchase; of a subscription's invoice what became of it. */
export async function syncPayment(deps: MirrorDeps, request: SyncRequest): Promise<SyncResult> {
  const { db, clock } = deps;
  const { id } = request.ref;
  const connection = deps.connections.get(request.connectionId);
  const sequence = await takeNumber(db, connection.id, id);
  const payment = await fetchPayment(connection, id);
  const purchase = payment === null ? null : await purchaseOfPayment(connection, payment);
  if (payment !== null && purchase === null) {
    const paid = await fetchInvoicePayment(connection, payment);
    if (paid !== null) return await syncInvoicePayment(deps, connection, request, { paid, sequence });
    return { status: 'ignored', reason: 'payment_without_checkout', projectId: null, customerId: null };
  }
  const parking = { ref: request.ref, cause: request.cause, detail: parkedPurchase(purchase) };
  const fetch: Fetch = { connectionId: connection.id, objectId: id, sequence, now: clock.now(), parking };
  return await applyInOrder(db, fetch, async (tx) =>
    purchase === null
      ? await endPurchase(tx, connection, id, fetch, request.cause)
      : await savePurchase(tx, connection, purchase, fetch, request),
  );
}
