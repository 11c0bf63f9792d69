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
  const { type } = request.ref;
  switch (type) {
    case 'subscription':
      return await syncSubscription(deps, request);
    default:
      throw new Error(`Cannot sync a ${type} yet.`);
  }
}
