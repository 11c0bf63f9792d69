import { attributeBy } from '../mirror/attribute.ts';
import { purchaseOfSession } from '../mirror/fetch-purchase.ts';
import { externalIdOf } from '../mirror/owners-of-listed.ts';
import { idOf, parseShape } from '../mirror/parse-shape.ts';
import { isPurchase, purchaseFact, purchaseId, purchaseRef } from '../mirror/purchase-fact.ts';
import { payerOf, purchaseHints } from '../mirror/save-purchase.ts';
import { SessionShape } from '../mirror/shapes.ts';
import type { ObjectRef } from '../mirror/types.ts';
import { eachOf } from '../platform/each-of.ts';
import { SIDE_BY_SIDE } from '../stripe/manner.ts';
import { sellsOnce } from '../stripe/sells-once.ts';
import type { Stripe } from '../stripe/types.ts';
import { gainsByListed, type Rules } from './gains.ts';
import { thoseThatMayBeOurs } from './may-be-ours.ts';
import { type PageReport, type Place, saveProgress } from './progress.ts';
import { readable } from './readable.ts';
import { type SyncedOne, syncOne } from './sync-one.ts';
import { type Begun, claimsOf, rulesOf, type Work } from './work.ts';

export async function listSessions({ connection, ask, pageSize }: Begun, after: string | null) {
  return await ask('purchase', () =>
    connection.client.checkout.sessions.list({
      limit: pageSize,
      expand: ['data.customer', 'data.line_items'],
      ...(after === null ? {} : { starting_after: after }),
    }),
  );
}

/**
 * A page of checkout sessions, for what was bought in them once and for all: by checkout, or by a payment link. Each is
 * fetched by itself with its refunds and disputes. @returns the import as it is afterwards
 */
export async function importPurchases(work: Work, page: readonly Stripe.Checkout.Session[], place: Place) {
  const { db, clock, row } = work;
  const bought = page.filter(isBought);
  const mine = await thoseThatMayBeOurs(work, bought);
  const known = await knownPurchases(work, mine);
  const fresh = mine.filter((session) => keptUnder(session).every((id) => !known.has(id)));
  const rules = await rulesOf(work);
  const done = await eachOf(fresh, SIDE_BY_SIDE, async (session) => {
    work.signal.throwIfAborted();
    if (!row.dry_run) return await syncOne(work, refOf(session), rules, keptUnder(session));
    return await readable(work, refOf(session), () => wouldSync(work, session, rules));
  });
  const counted: Record<string, number> = {
    purchases: bought.length,
    elsewhere: bought.length - mine.length,
    unchanged: mine.length - fresh.length,
  };
  for (const { counted: as } of done) counted[as] = (counted[as] ?? 0) + 1;
  const report: PageReport = {
    counted,
    gains: done.flatMap(({ gains }) => gains),
    parked: done.flatMap(({ parked }) => parked),
  };
  return await saveProgress(db, row, report, { place, now: clock.now() });
}

/** Whether anything was bought in it once and for all. */
export function isBought(session: Stripe.Checkout.Session): boolean {
  return session.status === 'complete' && sellsOnce(session);
}

/** The ids under which it is kept, one of them. */
export function keptUnder({ id, payment_intent: intent }: Stripe.Checkout.Session): string[] {
  return intent === null ? [id] : [id, idOf(intent)];
}

/** What is known is kept up by webhooks and reconciliation. */
export async function knownPurchases({ db, connection }: Work, sessions: readonly Stripe.Checkout.Session[]) {
  const ids = sessions.flatMap(keptUnder);
  const rows = await db
    .selectFrom('tollgate.facts as fact')
    .innerJoin('tollgate.projects as project', 'project.id', 'fact.project_id')
    .where('project.connection_id', '=', connection.id)
    .where('fact.kind', '=', 'purchase')
    .where((of) => of('fact.object_id', '=', of.fn.any(of.val(ids))))
    .select('fact.object_id')
    .execute();
  return new Set(rows.map(({ object_id }) => object_id));
}

export function refOf({ id, mode, payment_intent: intent }: Stripe.Checkout.Session): ObjectRef {
  const paid = mode === 'payment' && intent !== null;
  return paid ? { type: 'payment', id: idOf(intent) } : { type: 'checkout_session', id };
}

/** What `syncOne` would do, without saving: by the mirror's own pure functions. */
async function wouldSync(work: Work, session: Stripe.Checkout.Session, rules: Rules): Promise<SyncedOne> {
  const { connection, db, clock } = work;
  const read = parseShape(SessionShape, session, 'checkout session');
  const purchase = await work.ask('purchase', () => purchaseOfSession(connection, read));
  if (purchase === null || !isPurchase(purchase)) return { counted: 'elsewhere', gains: [], parked: [] };
  const hints = { ...purchaseHints(purchase), declared: work.declared(payerOf(purchase)) };
  const claims = await claimsOf(work, db, [hints], []);
  const found = await attributeBy(claims, connection.installation, hints);
  if (found.status === 'parked') {
    return { counted: 'parked', gains: [], parked: [{ ...purchaseRef(purchaseId(purchase)), reason: found.reason }] };
  }
  const externalId = await externalIdOf(claims, work.projectId, found);
  if (externalId === null) return { counted: 'elsewhere', gains: [], parked: [] };
  const fact = purchaseFact(purchase);
  const gains = await gainsByListed(db, work.projectId, [{ externalId, fact }], rules, clock.now());
  return { counted: 'applied', gains, parked: [] };
}
