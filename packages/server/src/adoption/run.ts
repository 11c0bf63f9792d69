import { sql } from 'kysely';
import { recordAudit } from '../audit/record.ts';
import type { CatalogDeps } from '../catalog/deps.ts';
import type { MirrorDeps } from '../mirror/types.ts';
import type { Database } from '../platform/database.ts';
import type { Task } from '../platform/jobs.ts';
import { longTask } from '../platform/long-work.ts';
import { askingOf, type Manner, mannerOf } from '../stripe/manner.ts';
import { decidedNow } from './alone.ts';
import { importCustomers, listCustomers } from './customers.ts';
import { importOtherPurchases, importOtherSubscriptions } from './left-elsewhere.ts';
import { importMoneyBack, listSigns, payersWithMoneyBack } from './money-back.ts';
import { importPayments, listPaidInvoices } from './payments.ts';
import { chooseProducts, importProducts, isNotOurs } from './products.ts';
import { countsOf, type Place, placeOf, STEPS, type StepName, saveProgress } from './progress.ts';
import { importPurchases, listSessions } from './purchases.ts';
import { IMPORT_JOB, type ImportRow } from './start-import.ts';
import { importSubscriptions, listSubscriptions } from './subscriptions.ts';
import type { Begun, Taking, Work } from './work.ts';

export type ImportDeps = MirrorDeps & Pick<CatalogDeps, 'requestRecomputation'>;

/** Does one import, or goes on with one that was cut short. The payload is `{importId}`. */
export function importTask(deps: ImportDeps, options: Partial<Manner> = {}): Task {
  const manner = mannerOf(options);
  return longTask<ImportRow>(deps, {
    job: IMPORT_JOB,
    cutShort: 'An import was cut short',
    begin: (id) => begin(deps, id),
    goOn: (row, signal) => workThrough(deps, row, { ...manner, signal }),
    read: (id) => readImport(deps.db, id),
    wayOf: ({ cursor }) => cursor,
    restMs: manner.retry.capMs,
    isForGood: isNotOurs,
    fail: (row, reason) => end(deps, row, { status: 'failed', error: reason }),
    // Whoever started it is told when asking how far it is.
    alarming: false,
  });
}

/** @returns undefined when there is nothing (more) to do */
async function begin({ db, clock }: ImportDeps, id: string): Promise<ImportRow | undefined> {
  const now = new Date(clock.now());
  return await db
    .updateTable('tollgate.imports')
    .set((of) => ({
      status: 'running',
      started_at: of.fn.coalesce('started_at', sql<Date>`${now}::timestamptz`),
      heartbeat_at: now,
    }))
    .where('id', '=', id)
    .where('status', 'in', ['queued', 'running'])
    .returningAll()
    .executeTakeFirst();
}

async function workThrough(
  deps: ImportDeps,
  begun: ImportRow,
  manner: Manner & { signal: AbortSignal },
): Promise<void> {
  const { pageSize, signal } = manner;
  const connection = deps.connections.get(begun.connection_id);
  const projectId = begun.project_id;
  const bare = {
    ...deps,
    row: begun,
    connection,
    projectId,
    pageSize,
    signal,
    ask: askingOf(manner, connection.id),
  };
  const { mine: products, elsewhere, all } = await chooseProducts(bare);
  const from = placeOf(begun);
  const isToKnow = !begun.dry_run && (from.step === 'products' || from.step === 'subscriptions');
  const payers = isToKnow ? await payersWithMoneyBack(bare) : new Set<string>();
  let work: Taking = { ...bare, products, all, payersWithMoneyBack: payers };
  for (const step of STEPS.slice(STEPS.indexOf(from.step))) {
    if (step === 'products') {
      const { report, mine } = await importProducts(work, elsewhere);
      const place = { step: STEPS[1], after: null };
      const row = await saveProgress(deps.db, work.row, report, { place, now: deps.clock.now() });
      work = { ...work, row, products: mine, all: all && mine.size === products.size };
      continue;
    }
    // A dry run has linked nobody more, and what is of no product of the project's unlocks nothing.
    if (OF_OTHERS.has(step) && (work.all || begun.dry_run)) continue;
    let after = from.step === step ? from.after : null;
    for (;;) {
      signal.throwIfAborted();
      const { row, last, more } = await PAGES[step](work, after);
      work = { ...work, row };
      after = last;
      if (!more) break;
    }
  }
  await end(deps, work.row, { status: 'completed', error: null });
}

type PagedStep = Exclude<StepName, 'products'>;
type TakePage = (work: Taking, after: string | null) => Promise<{ row: ImportRow; last: string | null; more: boolean }>;

/** The steps that look for what is left of the account's other products. */
const OF_OTHERS: ReadonlySet<StepName> = new Set(['other_subscriptions', 'other_purchases']);

/** A page of each step's list, from after an object on. */
const PAGES: Record<PagedStep, TakePage> = {
  subscriptions: pageOf('subscriptions', listSubscriptions, importSubscriptions),
  payments: pageOf('payments', listPaidInvoices, importPayments),
  purchases: pageOf('purchases', listSessions, importPurchases),
  other_subscriptions: pageOf('other_subscriptions', listSubscriptions, importOtherSubscriptions),
  other_purchases: pageOf('other_purchases', listSessions, importOtherPurchases),
  money_back: pageOf('money_back', listSigns, importMoneyBack),
  customers: pageOf('customers', listCustomers, importCustomers),
};

function pageOf<T extends { id: string }>(
  step: PagedStep,
  list: (work: Begun, after: string | null) => Promise<{ data: readonly T[]; has_more: boolean }>,
  take: (work: Work, page: readonly T[], place: Place) => Promise<ImportRow>,
): TakePage {
  return async (work, after) => {
    const { data, has_more: more } = await list(work, after);
    const last = data.at(-1)?.id ?? after;
    const row = await decidedNow(work, (now) => take(now, data, { step, after: last }));
    return { row, last, more: more && data.length > 0 };
  };
}

async function readImport(db: Database, id: string): Promise<ImportRow> {
  return await db.selectFrom('tollgate.imports').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
}

async function end(
  { db, clock }: ImportDeps,
  row: ImportRow,
  { status, error }: { status: 'completed' | 'failed'; error: string | null },
): Promise<void> {
  const now = clock.now();
  await db.transaction().execute(async (tx) => {
    const ended = await tx
      .updateTable('tollgate.imports')
      .set({ status, error, finished_at: new Date(now), heartbeat_at: new Date(now) })
      .where('id', '=', row.id)
      .where('status', '=', 'running')
      .returningAll()
      .executeTakeFirst();
    if (ended === undefined) return;
    const act = { actor: row.actor, keyId: null, requestId: null, action: `import.${status}`, reason: row.reason };
    const detail = { import: row.id, dry_run: row.dry_run, counts: countsOf(ended) };
    await recordAudit(tx, { ...act, projectId: row.project_id, detail }, now);
  });
}
