import type { Observed } from '../../support/observed.ts';
import { boughtOnce, boughtSubscription, monthlyPrice } from '../../support/shop.ts';

/** Checkout sessions in every mode, and the portal. */
export async function walkCheckout({ stripe, control }: Observed): Promise<void> {
  const { session, price } = await boughtSubscription(stripe, control, {
    data: { trial_period_days: 7, metadata: { a: 'b' } },
  });
  await stripe.checkout.sessions.retrieve(session.id, {
    expand: ['line_items.data.price.product', 'subscription.latest_invoice', 'customer', 'invoice'],
  });
  await stripe.checkout.sessions.listLineItems(session.id, { expand: ['data.price.product'] });
  await stripe.checkout.sessions.list({ customer: session.customer as string, expand: ['data.subscription'] });
  await stripe.checkout.sessions.update(session.id, { metadata: { a: 'b' } });
  const once = await boughtOnce(stripe, control);
  await stripe.checkout.sessions.retrieve(once.session.id, { expand: ['payment_intent.latest_charge', 'line_items'] });
  const invoiced = await stripe.checkout.sessions.create({
    mode: 'payment',
    customer_creation: 'always',
    invoice_creation: { enabled: true },
    allow_promotion_codes: true,
    client_reference_id: 'order 7',
    success_url: 'https://shop.example/thanks',
    cancel_url: 'https://shop.example/left',
    line_items: [{ price_data: { currency: 'usd', unit_amount: 900, product_data: { name: 'Book' } }, quantity: 2 }],
    payment_intent_data: { setup_future_usage: 'off_session', description: 'Books' },
    expand: ['line_items'],
  });
  control.payCheckout(invoiced.id);
  await stripe.checkout.sessions.retrieve(invoiced.id, { expand: ['invoice.lines', 'payment_intent', 'customer'] });
  const debit = await stripe.checkout.sessions.create({
    mode: 'payment',
    success_url: 'https://shop.example/thanks',
    line_items: [{ price_data: { currency: 'eur', unit_amount: 900, product_data: { name: 'Book' } }, quantity: 1 }],
  });
  control.payCheckout(debit.id, { cardNumber: 'DE62370400440532013001' });
  control.advance({ days: 4 });
  await stripe.checkout.sessions.retrieve(debit.id);
  const customer = await stripe.customers.create({ email: 'ann@example.com' });
  const setup = await stripe.checkout.sessions.create({
    mode: 'setup',
    currency: 'usd',
    customer: customer.id,
    success_url: 'https://shop.example/thanks',
  });
  control.payCheckout(setup.id);
  await stripe.checkout.sessions.retrieve(setup.id, { expand: ['setup_intent.payment_method'] });
  const left = await stripe.checkout.sessions.create({
    mode: 'subscription',
    customer: customer.id,
    success_url: 'https://shop.example/thanks',
    line_items: [{ price: price.id, quantity: 1 }],
  });
  await stripe.checkout.sessions.expire(left.id);
}

/** Payment links and what is bought through one. */
export async function walkPaymentLinks({ stripe, control }: Observed): Promise<void> {
  const price = await monthlyPrice(stripe);
  const link = await stripe.paymentLinks.create({
    line_items: [{ price: price.id, quantity: 1, adjustable_quantity: { enabled: true, maximum: 5 } }],
    allow_promotion_codes: true,
    subscription_data: { trial_settings: { end_behavior: { missing_payment_method: 'cancel' } }, metadata: { a: 'b' } },
    restrictions: { completed_sessions: { limit: 2 } },
    expand: ['line_items.data.price.product'],
  });
  const once = await stripe.paymentLinks.create({
    line_items: [{ price_data: { currency: 'usd', unit_amount: 900, product_data: { name: 'Book' } }, quantity: 1 }],
    payment_intent_data: { description: 'A book', setup_future_usage: 'off_session' },
    after_completion: { type: 'redirect', redirect: { url: 'https://shop.example/thanks' } },
  });
  await stripe.paymentLinks.update(once.id, { active: false, metadata: { a: 'b' }, submit_type: 'book' });
  await stripe.paymentLinks.retrieve(once.id);
  await stripe.paymentLinks.listLineItems(link.id);
  await stripe.paymentLinks.list({ active: true });
  const visit = await fetch(link.url, { redirect: 'manual' });
  const session = visit.headers.get('location')?.split('/').at(-1) ?? '';
  control.payCheckout(session);
  await stripe.checkout.sessions.retrieve(session, { expand: ['payment_link', 'subscription'] });
}

/** The customer portal: configurations and sessions. */
export async function walkPortal({ stripe, control }: Observed): Promise<void> {
  const { subscription } = await boughtSubscription(stripe, control);
  const other = await monthlyPrice(stripe, 9000, 'Team');
  const configuration = await stripe.billingPortal.configurations.create({
    business_profile: { headline: 'Yours', privacy_policy_url: 'https://shop.example/privacy' },
    default_return_url: 'https://shop.example/account',
    name: 'Ours',
    metadata: { a: 'b' },
    features: {
      customer_update: { enabled: true, allowed_updates: ['email', 'address'] },
      invoice_history: { enabled: true },
      payment_method_update: { enabled: true },
      subscription_cancel: {
        enabled: true,
        mode: 'at_period_end',
        cancellation_reason: { enabled: true, options: ['too_expensive', 'other'] },
      },
      subscription_update: {
        enabled: true,
        default_allowed_updates: ['price', 'quantity'],
        products: [{ product: other.product as string, prices: [other.id] }],
        proration_behavior: 'create_prorations',
      },
    },
  });
  await stripe.billingPortal.configurations.retrieve(configuration.id);
  await stripe.billingPortal.configurations.list({ active: true });
  await stripe.billingPortal.configurations.update(configuration.id, { name: 'Mine', metadata: { a: '' } });
  const customer = subscription.customer as string;
  await stripe.billingPortal.sessions.create({ customer, configuration: configuration.id, expand: ['configuration'] });
  await stripe.billingPortal.sessions.create({
    customer,
    return_url: 'https://shop.example/back',
    flow_data: { type: 'subscription_cancel', subscription_cancel: { subscription: subscription.id } },
  });
}
