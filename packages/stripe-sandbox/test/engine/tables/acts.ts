import type Stripe from 'stripe';
import type { Scene } from '../scene.ts';

/** Switches the first item to another price or quantity. */
export function change(to: { price?: string; quantity?: number }, how: Stripe.SubscriptionUpdateParams = {}) {
  return async ({ stripe, subscription, price, item }: Scene): Promise<void> => {
    const wanted = { id: await item(), ...to, ...(to.price === undefined ? {} : { price: await price(to.price) }) };
    await stripe.subscriptions.update(subscription, { items: [wanted], ...how });
  };
}

/** Updates the subscription. */
export function update(wanted: Stripe.SubscriptionUpdateParams) {
  return async ({ stripe, subscription }: Scene): Promise<void> => {
    await stripe.subscriptions.update(subscription, wanted);
  };
}

/** Gives the customer another default card. */
export function card(token: string) {
  return async ({ stripe, customer }: Scene): Promise<void> => {
    const method = await stripe.paymentMethods.attach(token, { customer });
    await stripe.customers.update(customer, { invoice_settings: { default_payment_method: method.id } });
  };
}

/** The customer's next payment is declined. */
export function declineNext({ control, customer }: Scene): void {
  control.failNextPayment({ customer });
}

export async function latestInvoice({ stripe, subscription }: Scene): Promise<string> {
  return String((await stripe.subscriptions.retrieve(subscription)).latest_invoice);
}

export async function payLatest(scene: Scene): Promise<void> {
  await scene.stripe.invoices.pay(await latestInvoice(scene));
}
