import type { Observed } from '../../support/observed.ts';

/** Payments made by the API: paid, declined, authenticated, settling later, captured, refunded and disputed. */
export async function walkPayments({ stripe, control }: Observed): Promise<void> {
  const customer = await stripe.customers.create({ email: 'ann@example.com' });
  const pay = (payment_method: string, amount = 2000) =>
    stripe.paymentIntents.create({
      amount,
      currency: 'usd',
      customer: customer.id,
      confirm: true,
      payment_method,
      allowed_payment_method_types: ['card'],
      expand: ['latest_charge', 'payment_method', 'customer'],
    });
  const paid = await pay('pm_card_visa');
  await stripe.paymentIntents.retrieve(paid.id, { expand: ['latest_charge.refunds'] });
  await stripe.paymentIntents.update(paid.id, { metadata: { order: '7' }, description: 'Order 7' });
  await stripe.paymentIntents.list({ customer: customer.id, expand: ['data.latest_charge'] });
  await stripe.paymentIntents.search({ query: `customer:"${customer.id}"` });
  const chargeId = (paid.latest_charge as { id: string }).id;
  await stripe.charges.retrieve(chargeId, { expand: ['payment_intent', 'refunds', 'balance_transaction'] });
  await stripe.charges.update(chargeId, { description: 'Order 7', metadata: { a: 'b' } });
  await stripe.charges.list({ payment_intent: paid.id });
  await stripe.charges.search({ query: 'payment_method_details.card.last4:"4242"' });

  const refund = await stripe.refunds.create({ payment_intent: paid.id, amount: 500, reason: 'requested_by_customer' });
  await stripe.refunds.create({ charge: chargeId });
  await stripe.refunds.update(refund.id, { metadata: { a: 'b' } });
  await stripe.refunds.retrieve(refund.id, { expand: ['charge', 'payment_intent'] });
  await stripe.refunds.list({ charge: chargeId });
  const unlucky = await pay('pm_card_refundFail');
  await stripe.refunds.create({ payment_intent: unlucky.id });
  const slow = await pay('pm_card_pendingRefund');
  control.succeedRefund((await stripe.refunds.create({ payment_intent: slow.id })).id);

  const unwanted = await pay('pm_card_pendingRefund');
  await stripe.refunds.cancel((await stripe.refunds.create({ payment_intent: unwanted.id })).id);

  await pay('pm_card_chargeDeclined').catch(() => undefined);
  const asked = await stripe.paymentIntents.create({
    amount: 700,
    currency: 'usd',
    automatic_payment_methods: { enabled: true },
  });
  await stripe.paymentIntents.confirm(asked.id, {
    payment_method: 'pm_card_authenticationRequired',
    return_url: 'https://shop.example/back',
  });
  await stripe.paymentIntents.cancel(asked.id, { cancellation_reason: 'abandoned' });

  const held = await stripe.paymentIntents.create({
    amount: 3000,
    currency: 'usd',
    capture_method: 'manual',
    confirm: true,
    payment_method: 'pm_card_visa',
    allowed_payment_method_types: ['card'],
  });
  await stripe.paymentIntents.capture(held.id, { amount_to_capture: 2500 });
  const released = await stripe.paymentIntents.create({
    amount: 3000,
    currency: 'usd',
    capture_method: 'manual',
    confirm: true,
    payment_method: 'pm_card_visa',
    allowed_payment_method_types: ['card'],
  });
  await stripe.paymentIntents.cancel(released.id);

  const byCharge = await stripe.paymentIntents.create({
    amount: 800,
    currency: 'usd',
    capture_method: 'manual',
    confirm: true,
    payment_method: 'pm_card_visa',
  });
  await stripe.charges.capture(byCharge.latest_charge as string, { amount: 700 });

  const debit = await stripe.paymentMethods.create({
    type: 'sepa_debit',
    sepa_debit: { iban: 'DE89370400440532013000' },
    billing_details: { email: 'ann@example.com', name: 'Ann' },
  });
  const settling = await stripe.paymentIntents.create({
    amount: 1000,
    currency: 'eur',
    confirm: true,
    payment_method: debit.id,
    allowed_payment_method_types: ['sepa_debit'],
    mandate_data: { customer_acceptance: { type: 'offline' } },
  });
  control.settlePayment(settling.id);

  for (const [card, verdict] of [
    ['pm_card_createDispute', 'won'],
    ['pm_card_createDisputeProductNotReceived', 'lost'],
    ['pm_card_createDisputeInquiry', 'won'],
  ] as const) {
    const contested = await pay(card);
    const [dispute] = (await stripe.disputes.list({ payment_intent: contested.id })).data;
    if (dispute === undefined) throw new Error('No dispute was opened.');
    await stripe.disputes.update(dispute.id, { evidence: { product_description: 'A thing' }, metadata: { a: 'b' } });
    await stripe.disputes.retrieve(dispute.id, { expand: ['charge', 'payment_intent'] });
    if (verdict === 'lost') await stripe.disputes.close(dispute.id);
    else control.closeDispute(dispute.id, 'won');
  }
}
