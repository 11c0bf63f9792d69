import { sql } from 'kysely';
import { attributeBy } from '../mirror/attribute.ts';
import { fetchShares } from '../mirror/fetch-invoice-payment.ts';
import { fetchSubscription } from '../mirror/fetch-subscription.ts';
import { listMoneyBack } from '../mirror/list-money-back.ts';
import { idOrNull } from '../mirror/parse-shape.ts';
import { completeHints } from '../mirror/sync-subscription.ts';
import { eachOf } from '../platform/each-of.ts';
import { SIDE_BY_SIDE } from '../stripe/manner.ts';
import type { Stripe } from '../stripe/types.ts';
import { entitledOf } from './gains.ts';
import { type PageReport, type Place, saveProgress } from './progress.ts';
import { readable } from './readable.ts';
import { type SyncedOne, syncOne } from './sync-one.ts';
import { type Begun, claimsOf, rulesOf, type Work } from './work.ts';

type Sign = Stripe.Refund | Stripe.Dispute;

export async function listSigns(work: Begun, after: string | null) {
  const page = { limit: work.pageSize, startingAfter: after ?? undefined };
  return await work.ask('invoice_payment', () => listMoneyBack(work.connection, page));
}

/**
 * The Stripe customers of whose payments some were refunded or disputed: their subscriptions are not applied from the list,
 * since each is to be known together with what became of its payments.
 */
export async function payersWithMoneyBack({ connection, ask, signal }: Begun): Promise<ReadonlySet<string>> {
  const payers = new Set<string>();
  for (let startingAfter: string | undefined; ; ) {
    signal.throwIfAborted();
    const page = { limit: 100, startingAfter, withCharge: true };
    const { data, has_more: more } = await ask('invoice_payment', () => listMoneyBack(connection, page));
    for (const { charge } of data) {
      const payer = typeof charge === 'string' ? null : idOrNull(charge?.customer);
      if (payer !== null) payers.add(payer);
    }
    startingAfter = data.at(-1)?.id;
    if (!more || startingAfter === undefined) return payers;
  }
}

/**
 * A page of refunds and disputes, for the payments of subscriptions' invoices. Those of purchases have come with the
 * purchase. @returns the import as it is afterwards
 */
export async function importMoneyBack(work: Work, page: readonly Sign[], place: Place) {
  const { db, clock, row } = work;
  const known = await knownSigns(work, page);
  const intentsOf = (signs: readonly Sign[]) =>
    [...new Set(signs.map((sign) => idOrNull(sign.payment_intent)))].filter((id) => id !== null);
  const fresh = intentsOf(page.filter(({ id }) => !known.has(id)));
  const old = (await ownersOf(work, intentsOf(page))).map(({ intent }) => intent).filter((id) => !fresh.includes(id));
  const along = await broughtAlong(work, old);
  const unchanged = old.length - along;
  const rules = await rulesOf(work);
  const one = async (ref: { type: 'payment'; id: string }): Promise<SyncedOne | null> => {
    const whose = await whoseIs(work, ref.id);
    if (whose === 'nobody') return null;
    if (whose === 'elsewhere') return { counted: 'elsewhere', gains: [], parked: [] };
    if (row.dry_run) return { counted: 'applied', gains: [], parked: [] };
    return await syncOne(work, ref, rules);
  };
  const done = await eachOf(fresh, SIDE_BY_SIDE, async (id) => {
    work.signal.throwIfAborted();
    const ref = { type: 'payment', id } as const;
    return await readable(work, ref, () => one(ref));
  });
  const found = done.filter((one) => one !== null);
  const counted: Record<string, number> = { money_back: found.length + old.length, unchanged, applied: along };
  for (const { counted: as } of found) counted[as] = (counted[as] ?? 0) + 1;
  const report: PageReport = {
    counted,
    gains: found.flatMap(({ gains }) => gains),
    left: row.dry_run ? [] : await entitledOf(db, await ownersOf(work, fresh), rules, clock.now()),
    parked: found.flatMap(({ parked }) => parked),
  };
  return await saveProgress(db, row, report, { place, now: clock.now() });
}

/** The ids of those that are in the ledger as Stripe has them now. */
async function knownSigns({ db, connection }: Work, page: readonly Sign[]): Promise<Set<string>> {
  const ids = page.map(({ id }) => id);
  const from = (table: 'tollgate.refunds' | 'tollgate.disputes') =>
    db
      .selectFrom(table)
      .select(['id', 'status', 'amount'])
      .where('connection_id', '=', connection.id)
      .where((of) => of('id', '=', of.fn.any(of.val(ids))));
  const rows = await from('tollgate.refunds').unionAll(from('tollgate.disputes')).execute();
  const stored = new Map(rows.map((row) => [row.id, row]));
  const same = page.filter(({ id, status, amount }) => {
    const row = stored.get(id);
    return row !== undefined && row.status === status && Number(row.amount) === amount;
  });
  return new Set(same.map(({ id }) => id));
}

/** How many of the payments this import has brought together with their subscriptions. */
async function broughtAlong({ db, projectId, row }: Work, intents: readonly string[]): Promise<number> {
  const versions = await db
    .selectFrom('tollgate.fact_versions')
    .select('object_id')
    .distinct()
    .where('project_id', '=', projectId)
    .where('kind', '=', 'invoice_payment')
    .where((of) => of('object_id', '=', of.fn.any(of.val([...intents]))))
    .where(sql<boolean>`cause = ${JSON.stringify({ type: 'import', id: row.id })}::jsonb`)
    .execute();
  return versions.length;
}

/** Whose of the project's customers payments of invoices are that are known to have had money go back. */
async function ownersOf({ db, projectId }: Work, intents: readonly string[]) {
  return await db
    .selectFrom('tollgate.facts as fact')
    .innerJoin('tollgate.customers as customer', 'customer.id', 'fact.customer_id')
    .where('fact.project_id', '=', projectId)
    .where('fact.kind', '=', 'invoice_payment')
    .where((of) => of('fact.object_id', '=', of.fn.any(of.val([...intents]))))
    .select(['fact.object_id as intent', 'customer.id', 'customer.external_id'])
    .execute();
}

/** A payment belongs to whoever has a subscription that it paid for. `nobody`: it paid for none. */
async function whoseIs(work: Work, intent: string): Promise<'ours' | 'elsewhere' | 'nobody'> {
  const shares = await work.ask('invoice_payment', () => fetchShares(work.connection, intent));
  const subscriptions = [...new Set(shares.map(({ subscriptionId }) => subscriptionId))];
  if (subscriptions.length === 0) return 'nobody';
  const stored = await work.db
    .selectFrom('tollgate.facts')
    .select('object_id')
    .where('project_id', '=', work.projectId)
    .where('kind', '=', 'subscription')
    .where('object_id', 'in', subscriptions)
    .executeTakeFirst();
  if (stored !== undefined) return 'ours';
  if (!work.row.dry_run) return 'elsewhere';
  for (const id of subscriptions) if (await wouldBeOurs(work, id)) return 'ours';
  return 'elsewhere';
}

/** Whether the import that is only tried would have taken the subscription. */
async function wouldBeOurs(work: Work, id: string): Promise<boolean> {
  const { connection, db, declared, projectId } = work;
  const fetched = await work.ask('subscription', () => fetchSubscription(connection, id));
  if (fetched === null) return false;
  const named = declared(fetched.customer);
  const hints = await work.ask('subscription', () => completeHints(work, connection, fetched, null, named));
  const found = await attributeBy(await claimsOf(work, db, [hints], []), connection.installation, hints);
  return 'projectId' in found && found.projectId === projectId;
}
