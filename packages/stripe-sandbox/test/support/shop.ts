import type Stripe from 'stripe';
import type { Control } from '../../src/index.ts';

/** A monthly price of its own product. */
export async function monthlyPrice(stripe: Stripe, amount = 2000, name = 'Pro'): Promise<Stripe.Price> {
  return await stripe.prices.create({
    currency: 'usd',
    unit_amount: amount,
    recurring: { interval: 'month' },
    product_data: { name },
  });
}

/** A customer who pays with a test card. */
export async function payingCustomer(
  stripe: Stripe,
  method = 'pm_card_visa',
  clock?: string,
): Promise<Stripe.Customer> {
  return await stripe.customers.create({
    email: 'ann@example.com',
    payment_method: method,
    ...(clock === undefined ? {} : { test_clock: clock }),
  });
}

/** A customer whose card is the default of their invoices. */
export async function subscriber(stripe: Stripe, card = '4242424242424242'): Promise<Stripe.Customer> {
  const customer = await stripe.customers.create({ email: 'ann@example.com' });
  const method = await stripe.paymentMethods.create({
    type: 'card',
    card: { number: card, exp_month: 12, exp_year: 2040 },
  });
  await stripe.paymentMethods.attach(method.id, { customer: customer.id });
  return await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: method.id } });
}

/** A subscription that somebody bought at the checkout. */
export async function boughtSubscription(
  stripe: Stripe,
  control: Control,
  options: {
    price?: Stripe.Price;
    cardNumber?: string;
    data?: Stripe.Checkout.SessionCreateParams.SubscriptionData;
  } = {},
): Promise<{ session: Stripe.Checkout.Session; subscription: Stripe.Subscription; price: Stripe.Price }> {
  const price = options.price ?? (await monthlyPrice(stripe));
  const open = await stripe.checkout.sessions.create({
    mode: 'subscription',
    success_url: 'https://shop.example/thanks?session={CHECKOUT_SESSION_ID}',
    line_items: [{ price: price.id, quantity: 1 }],
    ...(options.data === undefined ? {} : { subscription_data: options.data }),
  });
  const paid = control.payCheckout(open.id, options.cardNumber === undefined ? {} : { cardNumber: options.cardNumber });
  if (!paid.ok) throw new Error(paid.message);
  const session = await stripe.checkout.sessions.retrieve(open.id);
  return { session, subscription: await stripe.subscriptions.retrieve(String(session.subscription)), price };
}

/** A one-time payment that somebody made at the checkout. */
export async function boughtOnce(
  stripe: Stripe,
  control: Control,
  options: { amount?: number; cardNumber?: string } = {},
): Promise<{ session: Stripe.Checkout.Session; intent: Stripe.PaymentIntent }> {
  const open = await stripe.checkout.sessions.create({
    mode: 'payment',
    success_url: 'https://shop.example/thanks',
    line_items: [
      {
        price_data: { currency: 'usd', unit_amount: options.amount ?? 5000, product_data: { name: 'Book' } },
        quantity: 1,
      },
    ],
    payment_intent_data: { metadata: { order: '7' } },
  });
  const paid = control.payCheckout(open.id, options.cardNumber === undefined ? {} : { cardNumber: options.cardNumber });
  if (!paid.ok) throw new Error(paid.message);
  const session = await stripe.checkout.sessions.retrieve(open.id);
  return { session, intent: await stripe.paymentIntents.retrieve(String(session.payment_intent)) };
}

/** The types of all events so far, oldest first. */
export async function eventTypes(stripe: Stripe, match?: string): Promise<string[]> {
  const types: string[] = [];
  for await (const event of stripe.events.list({ limit: 100 })) types.unshift(event.type);
  return match === undefined ? types : types.filter((type) => type.startsWith(match));
}

export const DAY = 86_400;
