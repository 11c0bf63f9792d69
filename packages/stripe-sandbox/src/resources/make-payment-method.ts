import { factsOf } from '../billing/card-facts.ts';
import type { PaymentMethod } from '../model.ts';
import type { World } from '../world.ts';

/** Who pays, as they gave it along with a payment method. */
export interface Payer {
  email?: string | null | undefined;
  name?: string | null | undefined;
}

function billingDetails(payer: Payer): PaymentMethod['billing_details'] {
  return {
    address: { city: null, country: null, line1: null, line2: null, postal_code: null, state: null },
    email: payer.email ?? null,
    name: payer.name ?? null,
    phone: null,
    tax_id: null,
  };
}

function yearOf(seconds: number): number {
  return new Date(seconds * 1000).getUTCFullYear();
}

/** Stores a card that belongs to nobody yet. The number decides how payments with it go. */
export function createCard(
  world: World,
  number: string,
  payer: Payer = {},
  expiry: { month: number; year: number } = { month: 12, year: yearOf(world.clock.now()) + 5 },
): PaymentMethod {
  const { brand, country, cvcCheck, funding } = factsOf(number);
  return world.store.insert('payment_method', {
    id: world.ids.make('pm_'),
    object: 'payment_method',
    allow_redisplay: 'unspecified',
    billing_details: billingDetails(payer),
    card: {
      brand,
      checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: cvcCheck },
      country,
      display_brand: brand,
      exp_month: expiry.month,
      exp_year: expiry.year,
      fingerprint: `fp_${number.slice(-8)}`,
      funding,
      generated_from: null,
      last4: number.slice(-4),
      networks: { available: [brand], preferred: null },
      regulated_status: 'unregulated',
      three_d_secure_usage: { supported: true },
      wallet: null,
    },
    created: world.clock.now(),
    customer: null,
    customer_account: null,
    livemode: false,
    metadata: {},
    type: 'card',
    $: { number, authenticated: false },
  });
}

/** Stores a bank account to debit, whose payments settle days later. */
export function createBankDebit(world: World, iban: string, payer: Payer = {}): PaymentMethod {
  return world.store.insert('payment_method', {
    id: world.ids.make('pm_'),
    object: 'payment_method',
    allow_redisplay: 'unspecified',
    billing_details: billingDetails(payer),
    sepa_debit: {
      bank_code: '37040044',
      branch_code: '',
      country: iban.slice(0, 2),
      fingerprint: `fp_${iban.slice(-8)}`,
      generated_from: { charge: null, setup_attempt: null },
      last4: iban.slice(-4),
    },
    created: world.clock.now(),
    customer: null,
    customer_account: null,
    livemode: false,
    metadata: {},
    type: 'sepa_debit',
    $: { number: iban, authenticated: false },
  });
}
