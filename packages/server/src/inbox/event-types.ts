/** Which object an event speaks of. Only ids are taken from a payload: the state comes from a fetch. */

import type { ObjectRef } from '../mirror/types.ts';
import { OBJECT_ID } from '../stripe/object-id.ts';

type Payload = Readonly<Record<string, unknown>>;

/** Where the event's object leads. */
type Subject =
  /** It is the object itself. */
  | 'checkout_session'
  | 'subscription'
  | 'customer'
  | 'product'
  | 'price'
  /** It names the object. */
  | 'subscription_of_invoice'
  | 'subscription_of_discount'
  | 'payment_of_charge'
  | 'payment_of_refund'
  | 'payment_of_dispute';

/** Every type that is acted upon; any other is stored and ignored. */
export const EVENT_TYPES: Readonly<Record<string, Subject>> = {
  'checkout.session.completed': 'checkout_session',
  'checkout.session.expired': 'checkout_session',
  'checkout.session.async_payment_succeeded': 'checkout_session',
  'checkout.session.async_payment_failed': 'checkout_session',

  'customer.subscription.created': 'subscription',
  'customer.subscription.updated': 'subscription',
  'customer.subscription.deleted': 'subscription',
  'customer.subscription.paused': 'subscription',
  'customer.subscription.resumed': 'subscription',
  'customer.subscription.trial_will_end': 'subscription',
  'customer.subscription.pending_update_applied': 'subscription',
  'customer.subscription.pending_update_expired': 'subscription',
  'customer.discount.created': 'subscription_of_discount',
  'customer.discount.updated': 'subscription_of_discount',
  'customer.discount.deleted': 'subscription_of_discount',

  'invoice.finalized': 'subscription_of_invoice',
  'invoice.paid': 'subscription_of_invoice',
  'invoice.payment_succeeded': 'subscription_of_invoice',
  'invoice.payment_failed': 'subscription_of_invoice',
  'invoice.payment_action_required': 'subscription_of_invoice',
  'invoice.marked_uncollectible': 'subscription_of_invoice',
  'invoice.overdue': 'subscription_of_invoice',
  'invoice.updated': 'subscription_of_invoice',
  'invoice.voided': 'subscription_of_invoice',

  'charge.refunded': 'payment_of_charge',
  'charge.refund.updated': 'payment_of_refund',
  'refund.created': 'payment_of_refund',
  'refund.updated': 'payment_of_refund',
  'refund.failed': 'payment_of_refund',
  'charge.dispute.created': 'payment_of_dispute',
  'charge.dispute.updated': 'payment_of_dispute',
  'charge.dispute.closed': 'payment_of_dispute',
  'charge.dispute.funds_withdrawn': 'payment_of_dispute',
  'charge.dispute.funds_reinstated': 'payment_of_dispute',

  'customer.updated': 'customer',
  'customer.deleted': 'customer',
  'product.created': 'product',
  'product.updated': 'product',
  'product.deleted': 'product',
  'price.created': 'price',
  'price.updated': 'price',
  'price.deleted': 'price',
};

export type Found =
  | { ref: ObjectRef }
  /** The event is about something that Tollgate does not keep. */
  | { ignored: string }
  /** The payload does not have the shape that it should have: nothing is guessed. */
  | { unreadable: string };

/** The object that an event's own object (`data.object`) leads to. */
export function subjectOf(subject: Subject, object: Payload): Found {
  switch (subject) {
    case 'checkout_session':
    case 'subscription':
    case 'customer':
    case 'product':
    case 'price': {
      const id = idOf(object.id);
      return id === null ? { unreadable: 'data.object.id' } : { ref: { type: subject, id } };
    }
    case 'subscription_of_invoice': {
      const details = recordIn(recordIn(object.parent)?.subscription_details);
      if (details === null) return { ignored: 'invoice_without_subscription' };
      const id = idOf(details.subscription);
      return id === null
        ? { unreadable: 'data.object.parent.subscription_details.subscription' }
        : { ref: { type: 'subscription', id } };
    }
    case 'subscription_of_discount':
      return named('subscription', object.subscription, 'subscription', 'discount_without_subscription');
    case 'payment_of_charge':
      return named('payment', object.payment_intent, 'payment_intent', 'charge_without_payment_intent');
    case 'payment_of_refund':
      return named('payment', object.payment_intent, 'payment_intent', 'refund_without_payment_intent');
    case 'payment_of_dispute':
      return named('payment', object.payment_intent, 'payment_intent', 'dispute_without_payment_intent');
    default:
      return subject satisfies never;
  }
}

/** Whether the event's own object is the one to look at, so that its id is enough. */
export function isDirect(subject: Subject): boolean {
  return !subject.includes('_of_');
}

function named(type: ObjectRef['type'], value: unknown, path: string, none: string): Found {
  if (value === null || value === undefined) return { ignored: none };
  const id = idOf(value);
  return id === null ? { unreadable: `data.object.${path}` } : { ref: { type, id } };
}

const ID = new RegExp(OBJECT_ID);

/** An id, or the id of an expanded object. */
function idOf(value: unknown): string | null {
  const id = recordIn(value)?.id ?? value;
  return typeof id === 'string' && ID.test(id) ? id : null;
}

function recordIn(value: unknown): Payload | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Payload) : null;
}
