import type { Queryable } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { askStripe, refusedParameter } from '../stripe/refusal.ts';
import { fromStripeLookupKey, isPrefixed } from './lookup-key.ts';

/**
 * @param except - the price that may have the key
 * @throws TollgateError `lookup_key_taken` with the `price` that has the key
 */
export async function refuseTakenLookupKey(
  db: Queryable,
  projectId: string,
  lookupKey: string,
  except: string,
): Promise<void> {
  const holder = await holderOf(db, projectId, lookupKey);
  if (holder !== undefined && holder !== except) throw taken(lookupKey, holder);
}

/**
 * Finds out whether a new price can have a lookup key. The price that has it may be the new one itself, which an earlier
 * try made and a webhook made known: only Stripe can tell, by the idempotency key. It knows nothing of keys that Tollgate
 * did not give.
 * @returns the price that has the key here, when Stripe is to decide
 * @throws TollgateError `lookup_key_taken`, `stripe_unavailable`
 */
export async function holderForStripeToJudge(
  db: Queryable,
  { client }: StripeConnection,
  projectId: string,
  lookupKey: string,
): Promise<string | null> {
  const holder = await holderOf(db, projectId, lookupKey);
  if (holder === undefined) return null;
  const price = await askStripe(() => client.prices.retrieve(holder));
  if (
    fromStripeLookupKey(projectId, price.lookup_key) === lookupKey &&
    !isPrefixed(projectId, price.lookup_key ?? '')
  ) {
    throw taken(lookupKey, holder);
  }
  return holder;
}

async function holderOf(db: Queryable, projectId: string, lookupKey: string): Promise<string | undefined> {
  const holder = await db
    .selectFrom('tollgate.prices')
    .select('id')
    .where('project_id', '=', projectId)
    .where('lookup_key', '=', lookupKey)
    .where('deleted', '=', false)
    .executeTakeFirst();
  return holder?.id;
}

/**
 * Asks Stripe to give a price a lookup key; of several who do so together, Stripe refuses all but one.
 * @param holder - the price that has the key, if one is known to
 */
export async function askStripeWithLookupKey<T>(
  lookupKey: string | null,
  call: () => Promise<T>,
  holder: string | null = null,
): Promise<T> {
  return await askStripe(async () => {
    try {
      return await call();
    } catch (error) {
      if (lookupKey !== null && refusedParameter(error) === 'lookup_key') throw taken(lookupKey, holder);
      throw error;
    }
  });
}

function taken(lookupKey: string, price: string | null): TollgateError {
  return new TollgateError(
    'lookup_key_taken',
    `Another price of the project has the lookup key "${lookupKey}". Choose another, or take it from that price first (PATCH its lookup_key to null).`,
    [{ path: 'lookup_key', message: 'is taken' }],
    price === null ? {} : { price },
  );
}
