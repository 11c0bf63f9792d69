/** What is stored is compared with itself: facts with their versions, snapshots with what follows from the facts. */
import { lockCustomer } from '../customers/lock.ts';
import { proveSnapshots, type WrongSnapshot } from '../entitlements/prove-snapshots.ts';
import { recomputeCustomer } from '../entitlements/recompute.ts';
import type { Rules } from '../entitlements/rules.ts';
import { type Contradiction, endContradiction, type FactPlace, proveFacts } from '../facts/prove-facts.ts';
import { syncObject } from '../mirror/sync-object.ts';
import { fieldChanges } from './field-changes.ts';
import { KINDS } from './kinds.ts';
import { countsOf, saveProgress } from './progress.ts';
import { type DriftEnd, endDrift, recordDrift, type SettledDrift } from './record-drift.ts';
import type { RunRow } from './start-run.ts';
import { type Step, stepName } from './steps.ts';
import { unreadable } from './unreadable.ts';
import { lookAt, type Working } from './work-step.ts';

/** Facts are compared where they are, so that many cost no more than few; snapshots are worked out here. */
const FACTS_A_PAGE = 2_000;
const SNAPSHOTS_A_PAGE = 500;

type Ours = Omit<SettledDrift, 'origin'> & { repair: () => Promise<DriftEnd> };

/**
 * Goes through one step of the proof, page by page.
 * @param from - where the last page ended that was done with; null: from the start
 * @returns the run as it is afterwards
 */
export async function proveStep(
  deps: Working,
  begun: RunRow,
  step: Extract<Step, { what: 'proven' }>,
  from: string | null,
): Promise<RunRow> {
  const pages = step.kind === 'fact' ? factPages(deps, begun, step, from) : snapshotPages(deps, begun, step, from);
  let run = begun;
  for await (const { count, wrong, after } of pages) {
    deps.signal.throwIfAborted();
    for (const drift of wrong) await settle(deps, run, drift);
    const counts = countsOf(run);
    counts.proven += count;
    run = await saveProgress(deps.db, run, {
      place: { step: stepName(step), after },
      counts,
      now: deps.clock.now(),
    });
  }
  return run;
}

interface ProvenPage {
  count: number;
  wrong: Ours[];
  /** Where the next one begins. */
  after: string | null;
}

async function settle(deps: Working, run: RunRow, { repair, ...drift }: Ours): Promise<void> {
  const settled = { ...drift, origin: { cause: 'ours', aroseAt: null } } as const;
  if (run.dry_run) return await recordDrift(deps, run, settled, { action: 'would_repair', detail: null });
  await recordDrift(deps, run, settled, { action: 'repairing', detail: null });
  await endDrift(deps, run, settled, await repair());
}

async function* factPages(
  deps: Working,
  run: RunRow,
  { connectionId }: Step,
  from: string | null,
): AsyncGenerator<ProvenPage> {
  let after = from;
  do {
    const { last, count, wrong } = await proveFacts(deps.db, {
      connectionId,
      projectId: run.project_id,
      customerId: run.customer_id,
      after: placeIn(after),
      limit: FACTS_A_PAGE,
    });
    after = last === null ? after : `${last.kind} ${last.projectId} ${last.objectId}`;
    yield { count, wrong: wrong.map((found) => factDrift(deps, run, connectionId, found)), after };
    if (last === null) return;
  } while (true);
}

function placeIn(after: string | null): FactPlace {
  const [kind = '', projectId = '', objectId = ''] = after?.split(' ') ?? [];
  return { kind, objectId, projectId };
}

function factDrift(deps: Working, run: RunRow, connectionId: string, found: Contradiction): Ours {
  const { kind, objectId, projectId, customerId, current, newest } = found;
  const moved = newest !== null && newest.customerId !== customerId;
  const changes = fieldChanges(current, newest?.fact ?? null);
  const fields = moved ? [{ field: 'customer', before: customerId, after: newest.customerId }, ...changes] : changes;
  return {
    connectionId,
    objectType: kind,
    objectId,
    drift: { kind: 'contradiction', projectId, customerId, fields, since: null },
    repair: () => repairFact(deps, run, connectionId, found),
  };
}

/**
 * Stripe says what is true of its objects; of a grant its newest version does. The payment of an invoice is asked for as
 * a purchase is: by its payment intent.
 */
async function repairFact(deps: Working, run: RunRow, connectionId: string, found: Contradiction): Promise<DriftEnd> {
  const { kind, objectId, customerId } = found;
  const cause = { type: 'reconciliation', id: run.id } as const;
  try {
    if (kind !== 'grant') {
      const look = lookAt(deps, connectionId, { projectId: null, customerId: null });
      const ref = KINDS[kind].refOf(objectId);
      await look.ask(kind, () => syncObject(deps, { connectionId, ref, cause }));
    }
  } catch (error) {
    return { action: 'needs_person', detail: unreadable(error) };
  }
  const now = deps.clock.now();
  await deps.db.transaction().execute(async (tx) => {
    const holders = [customerId, found.newest?.customerId ?? customerId].sort();
    for (const id of new Set(holders)) await lockCustomer(tx, id);
    await endContradiction(tx, found, { cause, recordedAt: new Date(now) });
    for (const id of new Set(holders)) await recomputeCustomer(tx, { customerId: id, cause, now });
  });
  return { action: 'repaired', detail: null };
}

async function* snapshotPages(
  deps: Working,
  run: RunRow,
  { connectionId }: Step,
  from: string | null,
): AsyncGenerator<ProvenPage> {
  const known = new Map<string, Rules>();
  let after = from;
  for (;;) {
    const { customerIds, wrong } = await proveSnapshots(
      deps.db,
      {
        connectionId,
        projectId: run.project_id,
        customerId: run.customer_id,
        after: after ?? '',
        limit: SNAPSHOTS_A_PAGE,
      },
      known,
    );
    after = customerIds.at(-1) ?? after;
    const own = run.dry_run ? await withoutOtherDrifts(deps, run, wrong) : wrong;
    yield {
      count: customerIds.length,
      wrong: own.map((found) => snapshotDrift(deps, run, connectionId, found)),
      after,
    };
    if (customerIds.length < SNAPSHOTS_A_PAGE) return;
  }
}

/** A snapshot that is wrong because a fact is would have been put right with it: a dry run reports what a real one does. */
async function withoutOtherDrifts(
  deps: Working,
  run: RunRow,
  wrong: readonly WrongSnapshot[],
): Promise<WrongSnapshot[]> {
  if (wrong.length === 0) return [];
  const rows = await deps.db
    .selectFrom('tollgate.drifts')
    .select('customer_id')
    .where('run_id', '=', run.id)
    .where('object_type', '<>', 'snapshot')
    .where(
      'customer_id',
      'in',
      wrong.map(({ customerId }) => customerId),
    )
    .execute();
  const drifted = new Set(rows.map(({ customer_id }) => customer_id));
  return wrong.filter(({ customerId }) => !drifted.has(customerId));
}

function snapshotDrift(deps: Working, run: RunRow, connectionId: string, found: WrongSnapshot): Ours {
  const { projectId, customerId, stored, computed } = found;
  const fields = fieldChanges(stored, computed);
  return {
    connectionId,
    objectType: 'snapshot',
    objectId: customerId,
    drift: { kind: 'contradiction', projectId, customerId, fields, since: null },
    repair: async () => {
      const cause = { type: 'reconciliation', id: run.id } as const;
      const now = deps.clock.now();
      const { changed } = await deps.db
        .transaction()
        .execute((tx) => recomputeCustomer(tx, { customerId, cause, now }));
      return { action: changed ? 'repaired' : 'resolved', detail: null };
    },
  };
}
