import { type Attribution, type AttributionHints, attribute, attributeBy } from '../mirror/attribute.ts';
import { claimsIn } from '../mirror/claim-source.ts';
import {
  completeSubscription,
  type FetchedSubscription,
  fetchSubscription,
  SUBSCRIPTION_EXPANSIONS,
} from '../mirror/fetch-subscription.ts';
import { loadClaims } from '../mirror/load-claims.ts';
import { endedFact, hasEnded, hasEndedForGood, subscriptionFact } from '../mirror/subscription-fact.ts';
import { completeHints, subscriptionHints } from '../mirror/sync-subscription.ts';
import { isWhole } from '../mirror/whole-subscription.ts';
import type { Stripe } from '../stripe/types.ts';
import type { Kind, Look, Shelf, Verdict } from './kind.ts';
import { customerFilter } from './scope-filter.ts';
import { storedFact, storedFacts, unmetFacts } from './stored-facts.ts';
import { compareFact, outOfScope, ownerOf } from './verdicts.ts';

/** Every subscription that there is or was, with its fact as the mirror would make it. */
export const subscriptions: Kind<Stripe.Subscription> = {
  name: 'subscription',
  refOf: (id) => ({ type: 'subscription', id }),
  storedId: ({ id }) => id,
  unmet: (look, page) => unmetFacts(look, 'subscription', page),

  async list(look, { limit, startingAfter }) {
    const customer = await customerFilter(look);
    if (customer === 'nobody') return { data: [], has_more: false };
    return await look.connection.client.subscriptions.list({
      ...customer,
      status: 'all',
      limit,
      expand: SUBSCRIPTION_EXPANSIONS.map((path) => `data.${path}`),
      ...(startingAfter === undefined ? {} : { starting_after: startingAfter }),
    });
  },

  async shelve(look, listed) {
    const stored = await storedFacts(
      look,
      'subscription',
      listed.map(({ id }) => id),
    );
    const facts = Map.groupBy(stored, ({ id }) => id);
    const owners = stored.map(({ id, projectId, customerId }) => ({
      kind: 'subscription' as const,
      id,
      project_id: projectId,
      customer_id: customerId,
    }));
    const claims = await loadClaims(look.db, look.connection, await hintsOf(look, listed), owners);
    return { facts: new Map(listed.map(({ id }) => [id, facts.get(id) ?? []])), claims } satisfies Shelf;
  },

  async compare(look, listed) {
    const complete = () => completeSubscription(look.connection, listed);
    return await compareFetched(look, isWhole(listed) ? await complete() : await look.ask('subscription', complete));
  },

  async compareOne(look, id) {
    const fetched = await look.ask('subscription', () => fetchSubscription(look.connection, id));
    if (fetched !== null) return await compareFetched(look, fetched);
    const stored = await storedFact(look, 'subscription', id);
    if (stored === undefined) return { status: 'ignored' };
    if (hasEnded(stored.fact.status)) return { status: 'in_sync' };
    const { projectId, customerId, recordedAt: since } = stored;
    // When it ended is not known; what is told is that it is over.
    const fields = [{ field: 'status', before: stored.fact.status, after: endedFact(stored.fact, 0).status }];
    return { status: 'drift', drift: { kind: 'missing_in_stripe', projectId, customerId, fields, since } };
  },
};

async function compareFetched(look: Look, fetched: FetchedSubscription): Promise<Verdict> {
  const found = await ownerOfSubscription(look, fetched);
  if (found.status === 'ignored' || found.status === 'parked') return { status: found.status };
  if (outOfScope(look.scope, ownerOf(found))) return { status: 'out_of_scope' };
  const fact = subscriptionFact(fetched);
  const stored = await storedFact(look, 'subscription', fact.id);
  const gone = fetched.customer.deleted === true;
  // What has ended never begins again, and with a deleted customer everything has ended.
  const over = stored !== undefined && hasEndedForGood(stored.fact);
  if (over && (fact.status !== stored.fact.status || gone)) return { status: 'in_sync' };
  const missing = { ...ownerOf(found), changedAt: new Date(fact.startedAt) };
  return compareFact(stored, gone && stored !== undefined ? endedFact(fact, 0) : fact, missing);
}

/** What those of a page say that need no call to be understood. */
async function hintsOf(look: Look, listed: readonly Stripe.Subscription[]): Promise<AttributionHints[]> {
  const hints: AttributionHints[] = [];
  for (const subscription of listed.filter(isWhole)) {
    const fetched = await completeSubscription(look.connection, subscription).catch(() => null);
    if (fetched !== null) hints.push(subscriptionHints(fetched));
  }
  return hints;
}

/** Whose it is; the checkout session is asked for only where the subscription alone does not say. */
async function ownerOfSubscription(look: Look, fetched: FetchedSubscription): Promise<Attribution> {
  const claims = look.shelf?.claims ?? claimsIn(look.db, look.connection);
  const found = await attributeBy(claims, look.connection.installation, subscriptionHints(fetched));
  if (found.status !== 'parked') return found;
  const hints = await look.ask('subscription', () => completeHints(look, look.connection, fetched, null));
  return await attribute(look.db, look.connection, hints);
}
