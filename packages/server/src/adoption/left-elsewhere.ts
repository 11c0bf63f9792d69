/**
 * What the project's customers bought of the account's other products is theirs too, by their Stripe customer, as soon as
 * that is linked. An import links it on the way, by what may stand behind everything else in the lists: so these are gone
 * through once more for what was left, when all who buy are known.
 */
import { idOrNull } from '../mirror/parse-shape.ts';
import type { ObjectRef } from '../mirror/types.ts';
import { eachOf } from '../platform/each-of.ts';
import { SIDE_BY_SIDE } from '../stripe/manner.ts';
import type { Stripe } from '../stripe/types.ts';
import { linkedAmong } from './linked-among.ts';
import { countsOf, type Place, saveProgress } from './progress.ts';
import { isBought, keptUnder, knownPurchases, refOf } from './purchases.ts';
import { storedFacts } from './subscriptions.ts';
import { syncOne } from './sync-one.ts';
import { rulesOf, type Work } from './work.ts';

/** What was bought, whoever has it. */
interface Bought {
  ref: ObjectRef;
  payer: string | null;
  /** The ids under which it is kept, one of them. */
  kept: readonly string[];
}

/** A page of subscriptions, once more. @returns the import as it is afterwards */
export async function importOtherSubscriptions(work: Work, page: readonly Stripe.Subscription[], place: Place) {
  const bought = page.map(({ id, customer }): Bought => {
    return { ref: { type: 'subscription', id }, payer: idOrNull(customer), kept: [id] };
  });
  const ids = page.map(({ id }) => id);
  return await takeLeft(work, bought, new Set((await storedFacts(work, ids)).keys()), place);
}

/** A page of checkout sessions, once more. @returns the import as it is afterwards */
export async function importOtherPurchases(work: Work, page: readonly Stripe.Checkout.Session[], place: Place) {
  const sessions = page.filter(isBought);
  const bought = sessions.map((session): Bought => {
    return { ref: refOf(session), payer: idOrNull(session.customer), kept: keptUnder(session) };
  });
  return await takeLeft(work, bought, await knownPurchases(work, sessions), place);
}

/** Each is fetched by itself, with what was paid for it and went back. */
async function takeLeft(work: Work, bought: readonly Bought[], known: ReadonlySet<string>, place: Place) {
  const { db, clock, row } = work;
  const linked = await linkedAmong(
    work,
    bought.map(({ payer }) => payer),
  );
  const listed = await listedAmong(
    work,
    bought.map(({ ref }) => ref.id),
  );
  const left = bought.filter(
    ({ ref, payer, kept }) =>
      payer !== null && linked.has(payer) && !listed.has(ref.id) && !kept.some((id) => known.has(id)),
  );
  const rules = await rulesOf(work);
  const done = await eachOf(left, SIDE_BY_SIDE, async ({ ref, kept }) => {
    work.signal.throwIfAborted();
    return await syncOne(work, ref, rules, kept);
  });
  // The first look has counted them so, but for what was bought since then.
  const counted: Record<string, number> = { elsewhere: -Math.min(left.length, countsOf(row).elsewhere) };
  for (const { counted: as } of done) counted[as] = (counted[as] ?? 0) + 1;
  const gains = done.flatMap((one) => one.gains);
  const parked = done.flatMap((one) => one.parked);
  return await saveProgress(db, row, { counted, gains, parked }, { place, now: clock.now() });
}

/** Those that the import has listed as parked or unreadable already. */
async function listedAmong({ db, row }: Work, ids: readonly string[]): Promise<Set<string>> {
  const rows = await db
    .selectFrom('tollgate.import_parked')
    .select('object_id')
    .where('import_id', '=', row.id)
    .where((of) => of('object_id', '=', of.fn.any(of.val([...ids]))))
    .execute();
  return new Set(rows.map(({ object_id }) => object_id));
}
