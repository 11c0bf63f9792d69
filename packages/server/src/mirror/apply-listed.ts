import type { SubscriptionFact } from '@tollgate/core';
import { ensureCustomers } from '../customers/ensure-customers.ts';
import type { CustomerRow } from '../customers/find.ts';
import { recomputeLocked } from '../entitlements/recompute.ts';
import { readRules } from '../entitlements/rules.ts';
import type { Cause } from '../facts/cause.ts';
import { saveNewFacts } from '../facts/save-new-facts.ts';
import type { Tx } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { type Attribution, type AttributionHints, attributeBy } from './attribute.ts';
import { linkListed, type OwnedSubscription } from './link-listed.ts';
import { loadClaims } from './load-claims.ts';
import { recordTrialsOf } from './record-trials.ts';
import type { CustomerShape } from './shapes.ts';
import { wakeNamed } from './wake-named.ts';

/** A subscription as Stripe's list shows it, with what says whose it is. */
export interface ListedSubscription {
  fact: SubscriptionFact;
  customer: CustomerShape;
  hints: AttributionHints;
}

export interface Applied {
  /** The ids of the subscriptions that were applied. */
  ids: ReadonlySet<string>;
  /** Whose they are, each customer once. */
  customers: readonly CustomerRow[];
}

const NOTHING: Applied = { ids: new Set(), customers: [] };

/**
 * Applies listed subscriptions of one project that nobody has looked at yet, all together.
 *
 * No number can be taken before a list for what it will show. But an object of which nobody has taken a number by now has
 * no other fetch under way: it gets its first, and whoever fetches it after us has a higher one. What somebody has
 * looked at before is left to `syncObject`, which fetches it again.
 *
 * The order of locks is that of everywhere: the objects' numbers, the customers, the rest, each in the order of ids.
 */
export async function applyListed(
  tx: Tx,
  connection: StripeConnection,
  projectId: string,
  listed: readonly ListedSubscription[],
  { cause, now }: { cause: Cause; now: number },
): Promise<Applied> {
  const fresh = await takeFirstNumbers(
    tx,
    connection.id,
    listed.map(({ fact }) => fact.id),
  );
  const first = listed.filter(({ fact }) => fresh.has(fact.id));
  const owned = await ownersOf(tx, connection, projectId, first, now);
  if (owned.length === 0) return NOTHING;
  await linkListed(tx, connection, owned, now);
  const recordedAt = new Date(now);
  const facts = owned.map(({ customer, fact }) => ({
    projectId,
    customerId: customer.id,
    fact,
    sequence: 1,
    cause,
    recordedAt,
  }));
  const saved = await saveNewFacts(tx, facts);
  await recordTrialsOf(
    tx,
    owned.map(({ customer, fact }) => ({ customerId: customer.id, fact })),
  );
  const customers = [...new Map(owned.map(({ customer }) => [customer.id, customer])).values()];
  await recomputeLocked(tx, await readRules(tx, projectId), customers, cause, now);
  await wakeNamed(tx, connection.id, [...saved]);
  if (saved.size > 0) await markApplied(tx, connection.id, [...saved], recordedAt);
  return { ids: saved, customers };
}

/** @returns of which of the objects nobody had taken a number */
async function takeFirstNumbers(tx: Tx, connectionId: string, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const rows = await tx
    .insertInto('tollgate.object_sequences')
    .values([...ids].sort().map((id) => ({ connection_id: connectionId, object_id: id, issued: 1, applied: 0 })))
    .onConflict((conflict) => conflict.columns(['connection_id', 'object_id']).doNothing())
    .returning('object_id')
    .execute();
  return new Set(rows.map(({ object_id }) => object_id));
}

async function markApplied(tx: Tx, connectionId: string, ids: readonly string[], at: Date): Promise<void> {
  await tx
    .updateTable('tollgate.object_sequences')
    .set({ applied: 1, applied_at: at })
    .where('connection_id', '=', connectionId)
    .where((of) => of('object_id', '=', of.fn.any(of.val([...ids]))))
    .execute();
}

/** Whose they are now that their numbers are ours; customers created on first sight, and locked. */
async function ownersOf(
  tx: Tx,
  connection: StripeConnection,
  projectId: string,
  listed: readonly ListedSubscription[],
  now: number,
): Promise<OwnedSubscription[]> {
  const hints = listed.map((subscription) => subscription.hints);
  const claims = await loadClaims(tx, connection, hints, []);
  const named: { listed: ListedSubscription; externalId: string; proven: boolean }[] = [];
  for (const subscription of listed) {
    const found = await attributeBy(claims, connection.installation, subscription.hints);
    const externalId = await externalIdOf(claims, projectId, found);
    if (externalId === null) continue;
    named.push({ listed: subscription, externalId, proven: 'proven' in found && found.proven });
  }
  const externalIds = named.map(({ externalId }) => externalId);
  const rows = await ensureCustomers(tx, { projectId, connectionId: connection.id, externalIds, now });
  return named.flatMap(({ listed: { fact, customer: stripeCustomer }, externalId, proven }) => {
    const customer = rows.get(externalId);
    return customer === undefined ? [] : [{ customer, fact, stripeCustomer, proven }];
  });
}

/** The app's own id of the project's customer whose it is; null when it is somebody else's, or nobody's. */
export async function externalIdOf(
  claims: Awaited<ReturnType<typeof loadClaims>>,
  projectId: string,
  found: Attribution,
): Promise<string | null> {
  if (found.status === 'new_customer') return found.projectId === projectId ? found.externalId : null;
  if (found.status !== 'ours' || found.projectId !== projectId) return null;
  return (await claims.customer(found.customerId))?.external_id ?? null;
}
