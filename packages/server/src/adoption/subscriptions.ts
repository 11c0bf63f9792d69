import type { Fact } from '@tollgate/core';
import { applyListed, type ListedSubscription } from '../mirror/apply-listed.ts';
import { type Attribution, attributeBy } from '../mirror/attribute.ts';
import { paymentsIn } from '../mirror/fetch-invoice-payment.ts';
import {
  completeSubscription,
  EXPANSIONS_WITH_PAYMENT,
  type FetchedSubscription,
} from '../mirror/fetch-subscription.ts';
import { externalIdOf } from '../mirror/owners-of-listed.ts';
import { endedFact, subscriptionFact } from '../mirror/subscription-fact.ts';
import { completeHints, subscriptionHints } from '../mirror/sync-subscription.ts';
import { isWhole } from '../mirror/whole-subscription.ts';
import { canonicalJson } from '../platform/canonical-json.ts';
import type { Stripe } from '../stripe/types.ts';
import { needAlone } from './alone.ts';
import { gainsByListed, gainsBySaved } from './gains.ts';
import { type PageReport, type Place, saveProgress } from './progress.ts';
import { readEach } from './readable.ts';
import { syncOne } from './sync-one.ts';
import { type Begun, claimsOf, concerns, rulesOf, type Work } from './work.ts';

export async function listSubscriptions({ connection, ask, pageSize }: Begun, after: string | null) {
  return await ask('subscription', () =>
    connection.client.subscriptions.list({
      status: 'all',
      limit: pageSize,
      expand: EXPANSIONS_WITH_PAYMENT.map((path) => `data.${path}`),
      ...(after === null ? {} : { starting_after: after }),
    }),
  );
}

/** A page of subscriptions. @returns the import as it is afterwards */
export async function importSubscriptions(work: Work, page: readonly Stripe.Subscription[], place: Place) {
  const { db, clock, row } = work;
  const { read: listed, failed, parked } = await readEach(work, 'subscription', page, (one) => complete(work, one));
  const stored = await storedFacts(
    work,
    listed.map(({ fact }) => fact.id),
  );
  const found = await attributeAll(work, listed, stored);
  const counted = {
    subscriptions: page.length,
    failed,
    elsewhere: 0,
    parked: 0,
    unchanged: 0,
  };
  const fresh: (ListedSubscription & { externalId: string })[] = [];
  const unowned: string[] = [];
  for (const [index, subscription] of listed.entries()) {
    const { attribution, externalId } = found[index] as (typeof found)[number];
    const { id } = subscription.fact;
    const known = stored.get(id);
    if (attribution.status === 'parked' && concerns(work, attribution)) {
      counted.parked += 1;
      unowned.push(id);
      parked.push({ type: 'subscription', id, reason: attribution.reason });
    } else if (!('projectId' in attribution) || attribution.projectId !== work.projectId) counted.elsewhere += 1;
    else if (known !== undefined && canonicalJson(known.body) === canonicalJson(subscription.fact))
      counted.unchanged += 1;
    else if (externalId !== null) fresh.push({ ...subscription, externalId });
  }

  const rules = await rulesOf(work);
  if (row.dry_run) {
    const gains = await gainsByListed(db, work.projectId, fresh, rules, clock.now());
    const report = { counted: { ...counted, applied: fresh.length }, gains, parked };
    return await saveProgress(db, row, report, { place, now: clock.now() });
  }

  const cause = { type: 'import', id: row.id } as const;
  let current = row;
  const together = fresh.filter(
    ({ fact, customer }) => !stored.has(fact.id) && !work.payersWithMoneyBack.has(customer.id),
  );
  const applied = await db.transaction().execute(async (tx) => {
    await needAlone(tx, work);
    const now = clock.now();
    const { ids, customers } = await applyListed(tx, work.connection, work.projectId, together, { cause, now });
    const gains = await gainsBySaved(tx, customers, ids, rules, now);
    // In one transaction with the facts: a page that is gone through again finds them known.
    current = await saveProgress(tx, row, { counted: { applied: ids.size }, gains, parked: [] }, { place: null, now });
    return ids;
  });
  const rest: PageReport['gains'][number][] = [];
  const counts: Record<string, number> = { ...counted };
  for (const id of [...fresh.map(({ fact }) => fact.id).filter((one) => !applied.has(one)), ...unowned]) {
    work.signal.throwIfAborted();
    const one = await syncOne(work, { type: 'subscription', id }, rules);
    if (unowned.includes(id)) continue;
    counts[one.counted] = (counts[one.counted] ?? 0) + 1;
    rest.push(...one.gains);
    parked.push(...one.parked);
  }
  return await saveProgress(db, current, { counted: counts, gains: rest, parked }, { place, now: clock.now() });
}

/** Adds what its fact needs, and what says whose it is. */
async function complete(work: Work, given: Stripe.Subscription): Promise<ListedSubscription> {
  const { connection, declared, clock } = work;
  const ask = () => completeSubscription(connection, given);
  const fetched: FetchedSubscription = isWhole(given) ? await ask() : await work.ask('subscription', ask);
  const named = declared(fetched.customer);
  // Its session is asked for only where neither it nor its customer has a name.
  const hints =
    named.externalId === null
      ? await work.ask('subscription', () => completeHints(work, connection, fetched, null, named))
      : subscriptionHints(fetched);
  const read = subscriptionFact(fetched);
  const fact = fetched.customer.deleted === true ? endedFact(read, clock.now()) : read;
  const payments = paymentsIn(fetched.subscription.latest_invoice);
  return { fact, customer: fetched.customer, payments, hints: { ...hints, declared: named } };
}

interface Stored {
  project_id: string;
  customer_id: string;
  external_id: string;
  body: Fact;
}

export async function storedFacts({ db, connection }: Work, ids: readonly string[]): Promise<Map<string, Stored>> {
  const rows = await db
    .selectFrom('tollgate.facts as fact')
    .innerJoin('tollgate.customers as customer', 'customer.id', 'fact.customer_id')
    .where('customer.connection_id', '=', connection.id)
    .where('fact.kind', '=', 'subscription')
    .where((of) => of('fact.object_id', '=', of.fn.any(of.val([...ids]))))
    .select(['fact.object_id', 'fact.project_id', 'fact.customer_id', 'customer.external_id', 'fact.body'])
    .execute();
  return new Map(rows.map(({ object_id, ...row }) => [object_id, row]));
}

async function attributeAll(work: Work, listed: readonly ListedSubscription[], stored: ReadonlyMap<string, Stored>) {
  const owners = [...stored].map(([id, { project_id, customer_id }]) => ({
    kind: 'subscription' as const,
    id,
    project_id,
    customer_id,
  }));
  const hints = listed.map((one) => one.hints);
  const claims = await claimsOf(work, work.db, hints, owners);
  const found: { attribution: Attribution; externalId: string | null }[] = [];
  for (const { fact, hints: own } of listed) {
    const attribution = await attributeBy(claims, work.connection.installation, own);
    const known = stored.get(fact.id);
    const same = attribution.status === 'ours' && attribution.customerId === known?.customer_id;
    const externalId = same ? known.external_id : await externalIdOf(claims, work.projectId, attribution);
    found.push({ attribution, externalId });
  }
  return found;
}
