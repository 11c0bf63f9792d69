import { syncObject } from '../mirror/sync-object.ts';
import type { MirrorDeps } from '../mirror/types.ts';
import { originOf } from './cause.ts';
import type { Drift, Kind, Look } from './kind.ts';
import type { KnownAccounts } from './known-accounts.ts';
import { type DriftEnd, endDrift, recordDrift } from './record-drift.ts';
import type { RunRow } from './start-run.ts';
import type { UndeliveredEvents } from './undelivered-events.ts';
import { unreadable } from './unreadable.ts';

export interface SettleDeps extends MirrorDeps {
  undelivered: UndeliveredEvents;
  accounts: KnownAccounts;
}

/** Records a drift with its cause, and unless the run is dry has the mirror repair it. */
export async function settleDrift<T extends { id: string }>(
  deps: SettleDeps,
  look: Look,
  run: RunRow,
  found: { kind: Kind<T>; id: string; drift: Drift },
): Promise<void> {
  const { kind, id, drift } = found;
  const { since, changedAt = null, toldTo = null } = drift;
  const about = { objectType: kind.name, objectId: id, since, changedAt, toldTo };
  const origin = await originOf(look, deps.undelivered, about);
  const settled = { connectionId: look.connection.id, objectType: kind.name, objectId: id, drift, origin };
  const hopeless = await needsPerson(deps, look, found);
  if (hopeless !== null) return await recordDrift(deps, run, settled, { action: 'needs_person', detail: hopeless });
  if (run.dry_run) return await recordDrift(deps, run, settled, { action: 'would_repair', detail: null });
  await recordDrift(deps, run, settled, { action: 'repairing', detail: null });
  await endDrift(deps, run, settled, await repair(deps, look, run, kind, id));
}

/** What a person has to do where nothing can be repaired, dry or not; null: it can. */
async function needsPerson<T extends { id: string }>(
  { accounts }: SettleDeps,
  look: Look,
  { kind, id, drift }: { kind: Kind<T>; id: string; drift: Drift },
): Promise<string | null> {
  if (drift.kind === 'unreadable' || drift.kind === 'unattributed') return drift.detail ?? null;
  if (drift.kind === 'missing_in_stripe') return await accounts.whyNotLost(look, { kind: kind.name, id });
  return null;
}

async function repair<T extends { id: string }>(
  deps: SettleDeps,
  look: Look,
  run: RunRow,
  kind: Kind<T>,
  id: string,
): Promise<DriftEnd> {
  const connectionId = look.connection.id;
  const cause = { type: 'reconciliation', id: run.id } as const;
  try {
    const ref = kind.refOf(id);
    const result = await look.ask(kind.name, () => syncObject(deps, { connectionId, ref, cause }));
    if (result.status === 'applied') return { action: 'repaired', detail: null };
    const after = await kind.compareOne(look, id);
    if (after.status !== 'drift') return { action: 'resolved', detail: null };
    const reason = result.reason === null ? '' : ` (${result.reason})`;
    return {
      action: 'needs_person',
      detail: `The mirror calls Stripe's state ${result.status}${reason} and keeps its own. Look at the object in Stripe and at its events here, then reconcile its customer.`,
    };
  } catch (error) {
    return { action: 'needs_person', detail: unreadable(error) };
  }
}
