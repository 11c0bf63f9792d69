import { eachOf } from '../platform/each-of.ts';
import { SIDE_BY_SIDE } from '../stripe/manner.ts';
import type { Drift, Kind, KindName, Look, Shelf, Verdict } from './kind.ts';
import type { Counts } from './progress.ts';
import { type SettleDeps, settleDrift } from './settle-drift.ts';
import { settleParked } from './settle-parked.ts';
import type { RunRow } from './start-run.ts';
import { unreadable } from './unreadable.ts';

/**
 * Compares the objects of one page, and settles what differs.
 * @param items - as Stripe's list shows them, or as the ids of what is stored
 * @returns what was counted, the ids of what is or may be stored here, and of what need not be looked at again
 */
export async function examinePage<T extends { id: string }>(
  deps: SettleDeps,
  look: Look,
  run: RunRow,
  kind: Kind<T>,
  items: readonly (T | string)[],
  signal: AbortSignal,
): Promise<{ counted: Partial<Counts>; met: string[]; over: string[] }> {
  const listed = items.filter((item) => typeof item !== 'string');
  const shelf = listed.length === 0 ? undefined : await kind.shelve?.(look, listed);
  const counted = { in_sync: 0, ignored: 0, parked: 0 };
  const met: string[] = [];
  const over: string[] = [];
  await eachOf(items, SIDE_BY_SIDE, async (item) => {
    signal.throwIfAborted();
    const id = typeof item === 'string' ? item : kind.storedId(item);
    if (id === null) {
      counted.ignored += 1;
      return;
    }
    const verdict = await examine(deps, look, shelf, run, kind, { id, item });
    const { status } = verdict;
    if (status === 'in_sync' && verdict.over === true) over.push(id);
    else if (status !== 'ignored') met.push(id);
    if (status === 'in_sync' || status === 'ignored' || status === 'parked') counted[status] += 1;
  });
  return { counted, met, over };
}

async function examine<T extends { id: string }>(
  deps: SettleDeps,
  look: Look,
  shelf: Shelf | undefined,
  run: RunRow,
  kind: Kind<T>,
  { id, item }: { id: string; item: T | string },
): Promise<Pick<Verdict, 'status'> & { over?: boolean }> {
  const onShelf = shelf === undefined ? look : { ...look, shelf };
  let verdict = await readable(() =>
    typeof item === 'string' ? kind.compareOne(look, id) : kind.compare(onShelf, item),
  );
  if (verdict.status === 'drift' && typeof item !== 'string' && verdict.drift.kind !== 'unreadable') {
    // The list may be older than what a webhook has brought meanwhile: only a fresh look can tell.
    verdict = await readable(() => kind.compareOne(look, id));
  }
  if (verdict.status === 'parked') {
    deps.log.warn(
      { run_id: run.id, object_type: kind.name, object_id: id },
      'Nobody can say whose an object of Stripe is',
    );
    const settled = await settleParked(deps, look, run, kind.refOf(id));
    // Of one project or customer it cannot be said: a run of everything reports it.
    if (settled === 'parked' && look.scope.projectId === null) {
      await settleDrift(deps, look, run, { kind, id, drift: unattributed(kind.name, id) });
    }
    return { status: settled };
  }
  if (verdict.status === 'drift') await settleDrift(deps, look, run, { kind, id, drift: verdict.drift });
  return verdict;
}

/** Nobody can say whose it is: somebody has to. */
function unattributed(kind: KindName, id: string): Drift {
  const where = kind === 'customer' ? 'GET /api/v1/admin/parked' : `GET /api/v1/admin/parked, with the id ${id},`;
  const detail = `It may be this installation's, and nobody can say whose it is. ${where} tells why; attach it to a customer there, or dismiss it.`;
  return { kind: 'unattributed', projectId: null, customerId: null, fields: [], since: null, detail };
}

/** An object that cannot be understood is a drift of its own, and no reason to stop. */
async function readable(compare: () => Promise<Verdict>): Promise<Verdict> {
  try {
    return await compare();
  } catch (error) {
    const detail = unreadable(error);
    const drift = { kind: 'unreadable', projectId: null, customerId: null, fields: [], since: null, detail } as const;
    return { status: 'drift', drift };
  }
}
