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
import { claimsOf, rulesOf, type Work } from './work.ts';

type Sign = Stripe.Refund | Stripe.Dispute;

export async function listSigns(work: Work, after: string | null) {
  const page = { limit: work.pageSize, startingAfter: after ?? undefined };
  return await work.ask('invoice_payment', () => listMoneyBack(work.connection, page));
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
  const unchanged = (await ownersOf(work, intentsOf(page))).filter(({ intent }) => !fresh.includes(intent)).length;
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
  const counted: Record<string, number> = { money_back: found.length + unchanged, unchanged };
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
