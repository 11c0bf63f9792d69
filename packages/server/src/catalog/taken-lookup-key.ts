import type { Queryable } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import { askStripe, refusedParameter } from '../stripe/refusal.ts';

/**
 * @param except - the price that may have the key
 * @throws TollgateError `lookup_key_taken` with the `price` that has the key
 */
export async function refuseTakenLookupKey(
  db: Queryable,
  projectId: string,
  lookupKey: string,
  except?: string,
): Promise<void> {
  const holder = await db
    .selectFrom('tollgate.prices')
    .select('id')
    .where('project_id', '=', projectId)
    .where('lookup_key', '=', lookupKey)
    .where('deleted', '=', false)
    .executeTakeFirst();
  if (holder !== undefined && holder.id !== except) throw taken(lookupKey, holder.id);
}

/** Asks Stripe to give a price a lookup key; of several who do so together, Stripe refuses all but one. */
export async function askStripeWithLookupKey<T>(lookupKey: string | null, call: () => Promise<T>): Promise<T> {
  return await askStripe(async () => {
    try {
      return await call();
    } catch (error) {
      if (lookupKey !== null && refusedParameter(error) === 'lookup_key') throw taken(lookupKey);
      throw error;
    }
  });
}

function taken(lookupKey: string, price?: string): TollgateError {
  return new TollgateError(
    'lookup_key_taken',
    `Another price of the project has the lookup key "${lookupKey}". Choose another, or take it from that price first (PATCH its lookup_key to null).`,
    [{ path: 'lookup_key', message: 'is taken' }],
    price === undefined ? {} : { price },
  );
}
