import type { Tx } from '../platform/database.ts';
import type { MoneyBack } from './fetch-money-back.ts';

/** Writes down the refunds and disputes of one payment, each once under its own id, as Stripe has them now. */
export async function recordMoneyBack(
  tx: Tx,
  connectionId: string,
  payment: { id: string; projectId: string; customerId: string },
  { refunds, disputes }: MoneyBack,
): Promise<void> {
  const owned = {
    connection_id: connectionId,
    payment_id: payment.id,
    project_id: payment.projectId,
    customer_id: payment.customerId,
  };
  for (const { id, amount, currency, status, reason, created } of refunds) {
    const state = { ...owned, amount, currency, status, reason: reason ?? null, created_at: new Date(created * 1000) };
    await tx
      .insertInto('tollgate.refunds')
      .values({ id, ...state })
      .onConflict((conflict) => conflict.columns(['connection_id', 'id']).doUpdateSet(state))
      .execute();
  }
  for (const { id, amount, currency, status, reason, created } of disputes) {
    const state = { ...owned, amount, currency, status, reason: reason ?? null, created_at: new Date(created * 1000) };
    await tx
      .insertInto('tollgate.disputes')
      .values({ id, ...state })
      .onConflict((conflict) => conflict.columns(['connection_id', 'id']).doUpdateSet(state))
      .execute();
  }
}
