import type { Tx } from '../platform/database.ts';

export interface PaymentRecord {
  /** The payment intent, or the checkout session when nothing had to be paid. */
  id: string;
  projectId: string;
  customerId: string;
  checkoutSessionId: string | null;
  chargeId: string | null;
  subscriptionId: string | null;
}

/** Remembers what a payment was for, so that whoever holds a charge finds the purchase or the subscription. */
export async function recordPayment(tx: Tx, connectionId: string, payment: PaymentRecord): Promise<void> {
  const state = {
    project_id: payment.projectId,
    customer_id: payment.customerId,
    checkout_session_id: payment.checkoutSessionId,
    charge_id: payment.chargeId,
    subscription_id: payment.subscriptionId,
  };
  await tx
    .insertInto('tollgate.payments')
    .values({ connection_id: connectionId, id: payment.id, invoice_id: null, ...state })
    .onConflict((conflict) => conflict.columns(['connection_id', 'id']).doUpdateSet(state))
    .execute();
}
