import type { StripeConnection } from '../stripe/connections.ts';
import { parseShape } from './parse-shape.ts';
import { type ChargeShape, DisputeShape, type PaymentIntentShape, RefundShape } from './shapes.ts';

/** Everything that happened to a payment's money afterwards; failed refunds and won disputes among it. */
export interface MoneyBack {
  refunds: readonly RefundShape[];
  disputes: readonly DisputeShape[];
}

/** @param intent - the payment intent `pi_…` */
export async function fetchMoneyBack({ client }: StripeConnection, intent: string): Promise<MoneyBack> {
  const refunds: RefundShape[] = [];
  for await (const refund of client.refunds.list({ payment_intent: intent, limit: 100 })) {
    refunds.push(parseShape(RefundShape, refund, 'refund'));
  }
  const disputes: DisputeShape[] = [];
  for await (const dispute of client.disputes.list({ payment_intent: intent, limit: 100 })) {
    disputes.push(parseShape(DisputeShape, dispute, 'dispute'));
  }
  return { refunds, disputes };
}

/** The latest attempt to pay; null before the first. */
export function chargeOf({ latest_charge: charge }: PaymentIntentShape): ChargeShape | null {
  if (typeof charge === 'string') throw new Error('The charge was not expanded.');
  return charge;
}
