import Stripe from 'stripe';
import { expect, test } from 'vitest';
import { TEST_PAYMENT_METHODS } from '../src/billing/card-facts.ts';
import { isCardNumber } from '../src/billing/cards.ts';
import { clientOf, sandboxWithClient } from './support/sandbox.ts';

/** How paying with each of Stripe's test methods ends: a status, or the codes of the decline. */
const ENDINGS: Record<string, string> = {
  pm_card_chargeDeclined: 'card_declined generic_decline',
  pm_card_visa_chargeDeclined: 'card_declined generic_decline',
  pm_card_chargeDeclinedInsufficientFunds: 'card_declined insufficient_funds',
  pm_card_visa_chargeDeclinedInsufficientFunds: 'card_declined insufficient_funds',
  pm_card_chargeDeclinedLostCard: 'card_declined lost_card',
  pm_card_visa_chargeDeclinedLostCard: 'card_declined lost_card',
  pm_card_chargeDeclinedStolenCard: 'card_declined stolen_card',
  pm_card_visa_chargeDeclinedStolenCard: 'card_declined stolen_card',
  pm_card_chargeDeclinedExpiredCard: 'expired_card expired_card',
  pm_card_chargeDeclinedIncorrectCvc: 'incorrect_cvc incorrect_cvc',
  pm_card_chargeDeclinedProcessingError: 'processing_error processing_error',
  pm_card_chargeDeclinedVelocityLimitExceeded: 'card_declined card_velocity_exceeded',
  pm_card_visa_chargeDeclinedVelocityLimitExceeded: 'card_declined card_velocity_exceeded',
  pm_card_chargeDeclinedFraudulent: 'card_declined fraudulent',
  pm_card_radarBlock: 'card_declined fraudulent',
  pm_card_riskLevelHighest: 'card_declined fraudulent',
  pm_card_chargeCustomerFail: 'succeeded',
  pm_card_authenticationRequired: 'requires_action',
  pm_card_authenticationRequiredOnSetup: 'requires_action',
  pm_card_authenticationRequiredChargeDeclinedInsufficientFunds: 'requires_action',
  pm_card_threeDSecure2Required: 'requires_action',
  pm_card_threeDSecureRequired: 'requires_action',
  pm_card_threeDSecureRequiredChargeDeclined: 'requires_action',
  pm_card_threeDSecureRequiredProcessingError: 'requires_action',
};

test('every test method is a card, and ends a payment as Stripe documents it', async () => {
  const { stripe } = await sandboxWithClient();
  for (const [id, number] of Object.entries(TEST_PAYMENT_METHODS)) {
    expect(isCardNumber(number), id).toBe(true);
    const paid = stripe.paymentIntents.create({ amount: 2000, currency: 'usd', payment_method: id, confirm: true });
    const ending = await paid.then(
      ({ status }) => status,
      (error: Stripe.errors.StripeCardError) => `${error.code} ${error.decline_code}`,
    );
    expect(ending, id).toBe(ENDINGS[id] ?? 'succeeded');
  }
});

test('a card says where it is from and what it is, and a payment that is too risky never reaches its bank', async () => {
  const { stripe } = await sandboxWithClient();
  const card = async (token: string) => {
    const method = await stripe.paymentMethods.create({ type: 'card', card: { token } });
    return method.card;
  };
  expect(await card('tok_amex')).toMatchObject({ brand: 'amex', country: 'US', funding: 'credit' });
  expect(await card('tok_visa_debit')).toMatchObject({ brand: 'visa', funding: 'debit' });
  expect(await card('tok_de')).toMatchObject({ brand: 'visa', country: 'DE' });
  const refused = { amount: 900, currency: 'usd', payment_method: 'pm_card_radarBlock', confirm: true };
  await expect(stripe.paymentIntents.create(refused)).rejects.toBeInstanceOf(Stripe.errors.StripeCardError);
  const [charge] = (await stripe.charges.list()).data;
  expect(charge?.outcome).toMatchObject({
    type: 'blocked',
    risk_level: 'highest',
    network_status: 'not_sent_to_network',
  });
});

test.each([
  [{ exp_month: 13, exp_year: 2040 }, 'invalid_expiry_month'],
  [{ exp_month: 1, exp_year: 2001 }, 'invalid_expiry_year'],
  [{ exp_month: 1, exp_year: 2040, cvc: '1' }, 'invalid_cvc'],
])('a card with %j is refused', async (given, code) => {
  const { stripe } = await sandboxWithClient();
  const made = stripe.paymentMethods.create({ type: 'card', card: { number: '4242424242424242', ...given } });
  await expect(made).rejects.toMatchObject({ code, statusCode: 402 });
});

test('a publishable key may not do what a secret one may, and the client says so with its own error', async () => {
  const { sandbox } = await sandboxWithClient();
  const { port } = sandbox;
  const options = { host: '127.0.0.1', port, protocol: 'http', maxNetworkRetries: 0 } as const;
  const listed = new Stripe('pk_test_x', options).customers.list();
  await expect(listed).rejects.toBeInstanceOf(Stripe.errors.StripePermissionError);
  await expect(clientOf(sandbox).customers.list({}, { apiVersion: '2020-08-27' })).resolves.toBeDefined();
  await expect(clientOf(sandbox).customers.list({}, { apiVersion: 'banana' })).rejects.toMatchObject({
    statusCode: 400,
  });
});
