import type { Charge, PaymentIntent, PaymentMethod } from '../model.ts';
import type { World } from '../world.ts';
import { behaviourOf, declineWords } from './cards.ts';

/** What a charge says about the method that it was made with. */
function methodDetails({ amount }: PaymentIntent, { type, card, sepa_debit }: PaymentMethod): Record<string, unknown> {
  if (card === undefined) {
    const { generated_from: _from, ...account } = sepa_debit ?? { generated_from: null };
    return { sepa_debit: { ...account, mandate: null }, type };
  }
  const {
    display_brand: _brand,
    generated_from: _from,
    networks: _networks,
    three_d_secure_usage: _usage,
    ...shown
  } = card;
  return {
    card: {
      ...shown,
      amount_authorized: amount,
      authorization_code: null,
      electronic_commerce_indicator: null,
      installments: null,
      mandate: null,
      network: card.brand,
      network_transaction_id: null,
      three_d_secure: null,
      transaction_link_id: null,
    },
    type,
  };
}

/** The outcome of a payment that never reaches the bank. */
const BLOCKED = {
  network_status: 'not_sent_to_network',
  reason: 'highest_risk_level',
  seller_message: 'Stripe blocked this payment as too risky.',
  type: 'blocked',
} as const;

/**
 * Stores an attempt to take a payment's money.
 *
 * @param declineCode why the bank refused; null: it did not
 */
export function makeCharge(
  world: World,
  intent: PaymentIntent,
  method: PaymentMethod,
  declineCode: string | null,
): Charge {
  const risk = behaviourOf(method.$.number).risk ?? 'normal';
  const words = declineCode === null ? null : declineWords(declineCode);
  const id = world.ids.make('ch_');
  return world.store.insert('charge', {
    id,
    object: 'charge',
    amount: intent.amount,
    amount_captured: words === null ? intent.amount : 0,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: null,
    billing_details: method.billing_details,
    calculated_statement_descriptor: 'SANDBOX',
    captured: words === null,
    created: world.clock.now(),
    currency: intent.currency,
    customer: intent.customer,
    description: intent.description,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: words?.code ?? null,
    failure_message: words?.message ?? null,
    fraud_details: {},
    livemode: false,
    metadata: { ...intent.metadata },
    on_behalf_of: null,
    outcome: {
      advice_code: null,
      network_advice_code: null,
      network_decline_code: null,
      network_status: words === null ? 'approved_by_network' : 'declined_by_network',
      reason: declineCode,
      risk_level: risk,
      seller_message: words === null ? 'Payment complete.' : 'The bank did not return any further details.',
      type: words === null ? 'authorized' : 'issuer_declined',
      ...(risk === 'highest' ? BLOCKED : {}),
    },
    paid: words === null,
    payment_intent: intent.id,
    payment_method: method.id,
    payment_method_details: methodDetails(intent, method),
    receipt_email: intent.receipt_email,
    receipt_number: null,
    receipt_url: null,
    refunded: false,
    review: null,
    shipping: intent.shipping,
    source: null,
    source_transfer: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: words === null ? 'succeeded' : 'failed',
    transfer_data: null,
    transfer_group: null,
  });
}
