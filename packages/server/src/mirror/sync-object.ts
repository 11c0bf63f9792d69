import { syncCustomer } from './sync-customer.ts';
import { syncInvoice } from './sync-invoice.ts';
import { syncPayment } from './sync-payment.ts';
import { syncPrice } from './sync-price.ts';
import { syncProduct } from './sync-product.ts';
import { syncSession } from './sync-session.ts';
import { syncSubscription } from './sync-subscription.ts';
import type { MirrorDeps, SyncRequest, SyncResult } from './types.ts';

export type { MirrorDeps, ObjectRef, ObjectType, SyncRequest, SyncResult } from './types.ts';

/**
 * Brings what is known of one object of Stripe's up to date: takes the object's next number, fetches it, finds out
 * whose it is, and saves it with the customer's new snapshot unless a later fetch was saved meanwhile.
 *
 * What Stripe has no more ends: its facts end, their history stays.
 * @throws Stripe's errors, for the caller to classify (`stripe/errors.ts`) and to try again;
 *   TollgateError `stripe_shape_unexpected` when Stripe's answer cannot be understood: trying again does not help
 */
export async function syncObject(deps: MirrorDeps, request: SyncRequest): Promise<SyncResult> {
  const result = await syncByType(deps, request);
  if (result.status === 'parked') {
    deps.log.warn(
      { ref: request.ref, reason: result.reason },
      "An object of Stripe's is parked: nobody can say whose it is",
    );
  }
  return result;
}

async function syncByType(deps: MirrorDeps, request: SyncRequest): Promise<SyncResult> {
  const { type } = request.ref;
  switch (type) {
    case 'subscription':
      return await syncSubscription(deps, request);
    case 'invoice':
      return await syncInvoice(deps, request);
    case 'payment':
      return await syncPayment(deps, request);
    case 'checkout_session':
      return await syncSession(deps, request);
    case 'customer':
      return await syncCustomer(deps, request);
    case 'product':
      return await syncProduct(deps, request);
    case 'price':
      return await syncPrice(deps, request);
    default:
      return type satisfies never;
  }
}
