import type { Observed } from '../../support/observed.ts';

/** Customers, what they pay with, and setup intents. */
export async function walkCustomers({ stripe }: Observed): Promise<void> {
  const customer = await stripe.customers.create({
    address: { line1: '1 Main St', city: 'Berlin', country: 'DE' },
    balance: -500,
    description: 'A customer',
    email: 'ann@example.com',
    metadata: { plan: 'x' },
    name: 'Ann',
    payment_method: 'pm_card_visa',
    phone: '+49301234',
    preferred_locales: ['de'],
    shipping: { name: 'Ann', address: { line1: '1 Main St', country: 'DE' } },
    tax_exempt: 'reverse',
  });
  await stripe.customers.retrieve(customer.id, {
    expand: ['subscriptions', 'invoice_settings.default_payment_method'],
  });
  await stripe.customers.list({ email: 'ann@example.com' });
  await stripe.customers.search({ query: 'email:"ann@example.com" AND metadata["plan"]:"x"' });

  const method = await stripe.paymentMethods.create({
    type: 'card',
    card: { number: '5555555555554444', exp_month: 4, exp_year: 2035, cvc: '123' },
    billing_details: { email: 'ann@example.com', name: 'Ann', address: { country: 'DE', postal_code: '10115' } },
    metadata: { a: 'b' },
  });
  await stripe.paymentMethods.attach(method.id, { customer: customer.id });
  await stripe.paymentMethods.update(method.id, { metadata: { a: '' }, billing_details: { name: 'Anna' } });
  await stripe.paymentMethods.retrieve(method.id, { expand: ['customer'] });
  await stripe.paymentMethods.list({ customer: customer.id, type: 'card' });
  await stripe.customers.listPaymentMethods(customer.id);
  await stripe.customers.retrievePaymentMethod(customer.id, method.id);
  await stripe.customers.update(customer.id, {
    invoice_settings: { default_payment_method: method.id, footer: 'Thanks' },
    metadata: { plan: '' },
    name: 'Anna',
    shipping: '',
  });
  await stripe.customers.retrieve(customer.id, { expand: ['invoice_settings.default_payment_method'] });
  await stripe.paymentMethods.detach(method.id);
  await stripe.paymentMethods.create({
    type: 'sepa_debit',
    sepa_debit: { iban: 'DE89370400440532013000' },
    billing_details: { email: 'ann@example.com', name: 'Ann' },
  });

  const credit = await stripe.customers.createBalanceTransaction(customer.id, { amount: -200, currency: 'usd' });
  await stripe.customers.updateBalanceTransaction(customer.id, credit.id, { description: 'Sorry' });
  await stripe.customers.retrieveBalanceTransaction(customer.id, credit.id, { expand: ['customer'] });
  await stripe.customers.listBalanceTransactions(customer.id);

  const setup = await stripe.setupIntents.create({
    customer: customer.id,
    allowed_payment_method_types: ['card'],
    usage: 'off_session',
  });
  await stripe.setupIntents.confirm(setup.id, { payment_method: 'pm_card_visa' });
  await stripe.setupIntents.retrieve(setup.id, { expand: ['payment_method', 'customer'] });
  await stripe.setupIntents.list({ customer: customer.id });
  const unused = await stripe.setupIntents.create({ payment_method: 'pm_card_visa', description: 'later' });
  await stripe.setupIntents.update(unused.id, { description: 'never', metadata: { a: 'b' } });
  await stripe.setupIntents.cancel(unused.id, { cancellation_reason: 'abandoned' });

  await stripe.customers.del(customer.id);
  await stripe.customers.retrieve(customer.id);
}
