import { stamps } from '../stripe/stamps.ts';
import type { Stripe } from '../stripe/types.ts';
import type { Plan } from './plan.ts';

/** What a caller may wish of a session, in the words of the API. */
export interface SessionWishes {
  success_url: string;
  cancel_url: string;
  trial_period_days?: number | undefined;
  allow_promotion_codes?: boolean | undefined;
  automatic_tax?: boolean | undefined;
  tax_id_collection?: boolean | undefined;
  payment_method_collection?: 'always' | 'if_required' | undefined;
  metadata?: Readonly<Record<string, string>> | undefined;
}

export interface Buyer {
  installation: string;
  projectId: string;
  /** Tollgate's own `cust_…`. */
  customerId: string;
  /** The app's own id. */
  externalId: string;
  /** Stripe's `cus_…`. */
  stripeCustomerId: string;
}

/**
 * What Stripe is asked for. The stamps are on the session and on what it makes, as Stripe copies a session's metadata
 * to nothing. `customer` is always passed, and never an email: that would make a second Stripe customer.
 */
export function sessionParams(plan: Plan, wishes: SessionWishes, buyer: Buyer): Stripe.Checkout.SessionCreateParams {
  const { installation, projectId, customerId } = buyer;
  const metadata = { ...wishes.metadata, ...stamps({ installation, projectId, customerId }) };
  return {
    mode: plan.mode,
    customer: buyer.stripeCustomerId,
    client_reference_id: buyer.externalId,
    success_url: wishes.success_url,
    cancel_url: wishes.cancel_url,
    line_items: plan.lines.map(({ price, quantity }) => ({
      price: price.id,
      ...(quantity === null ? {} : { quantity }),
    })),
    metadata,
    ...(plan.mode === 'subscription'
      ? { subscription_data: { metadata, ...trialOf(wishes) } }
      : { payment_intent_data: { metadata } }),
    ...(wishes.allow_promotion_codes === undefined ? {} : { allow_promotion_codes: wishes.allow_promotion_codes }),
    ...(wishes.payment_method_collection === undefined
      ? {}
      : { payment_method_collection: wishes.payment_method_collection }),
    ...taxOf(wishes),
  };
}

function trialOf({ trial_period_days, payment_method_collection }: SessionWishes) {
  if (trial_period_days === undefined) return {};
  return {
    trial_period_days,
    // Without a card there is nobody to invoice when the trial is over: it ends then.
    ...(payment_method_collection === 'if_required'
      ? { trial_settings: { end_behavior: { missing_payment_method: 'cancel' as const } } }
      : {}),
  };
}

/** For a customer who exists, Stripe wants to be told that it may keep the address and the name that the page asks for. */
function taxOf({ automatic_tax, tax_id_collection }: SessionWishes) {
  const update = {
    ...(automatic_tax === true ? { address: 'auto' as const } : {}),
    ...(tax_id_collection === true ? { name: 'auto' as const, address: 'auto' as const } : {}),
  };
  return {
    ...(automatic_tax === undefined ? {} : { automatic_tax: { enabled: automatic_tax } }),
    ...(tax_id_collection === undefined ? {} : { tax_id_collection: { enabled: tax_id_collection } }),
    ...(Object.keys(update).length > 0 ? { customer_update: update } : {}),
  };
}
