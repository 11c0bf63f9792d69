import { type Lookup, NOTHING } from './expand.ts';
import { nestedList } from './lists.ts';
import type { CheckoutSession, Invoice } from './model.ts';
import type { World } from './world.ts';

/** The parts of objects that only show when they are asked for with `expand`. */
function hiddenPart(world: World, kind: unknown, id: string, field: string): unknown {
  switch (`${String(kind)}.${field}`) {
    case 'checkout.session.line_items': {
      const session = world.store.get('checkout.session', id) as CheckoutSession;
      return nestedList(session.$.lines, `/v1/checkout/sessions/${id}/line_items`);
    }
    case 'payment_link.line_items':
      return nestedList(world.store.get('payment_link', id)?.$.lines ?? [], `/v1/payment_links/${id}/line_items`);
    case 'charge.refunds': {
      const refunds = [...world.store.all('refund', { key: 'charge', value: id })].reverse();
      return nestedList(refunds, `/v1/charges/${id}/refunds`);
    }
    case 'customer.subscriptions': {
      const subscriptions = [...world.store.all('subscription', { key: 'customer', value: id })].reverse();
      const live = subscriptions.filter(({ status }) => status !== 'canceled' && status !== 'incomplete_expired');
      return nestedList(live, `/v1/customers/${id}/subscriptions`);
    }
    case 'invoice.payments': {
      const payments = [...world.store.all('invoice_payment', { key: 'invoice', value: id })];
      return nestedList(payments, '/v1/invoice_payments');
    }
    case 'invoice.confirmation_secret': {
      const invoice = world.store.get('invoice', id) as Invoice;
      const [payment] = world.store.all('invoice_payment', { key: 'invoice', value: invoice.id });
      const intent = payment && world.store.get('payment_intent', payment.payment.payment_intent);
      return intent === undefined ? null : { client_secret: intent.client_secret, type: 'payment_intent' };
    }
    case 'coupon.applies_to': {
      const products = world.store.get('coupon', id)?.$.products ?? [];
      return products.length === 0 ? NOTHING : { products };
    }
    case 'price.tiers':
      return world.store.get('price', id)?.$.tiers;
    case 'coupon.currency_options':
    case 'price.currency_options':
      return {};
    default:
      return undefined;
  }
}

/** How `expand` finds things in a world. */
export function lookupIn(world: World): Lookup {
  return {
    find: (id) => world.find(id),
    hidden: (object, field) => hiddenPart(world, object.object, String(object.id), field),
  };
}
