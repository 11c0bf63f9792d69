import { isDismissed } from '../mirror/parked-object.ts';
import { type MirrorDeps, type ObjectRef, syncObject } from '../mirror/sync-object.ts';
import type { Look } from './kind.ts';
import type { RunRow } from './start-run.ts';

/**
 * An object that nobody can be found for is parked by the mirror, which looks once more: an operator may have decided on
 * it, or the evidence has changed. A dry run only asks what was decided.
 */
export async function settleParked(
  deps: MirrorDeps,
  look: Look,
  run: RunRow,
  ref: ObjectRef,
): Promise<'parked' | 'ignored' | 'in_sync'> {
  const connectionId = look.connection.id;
  if (run.dry_run) return (await isDismissed(deps.db, connectionId, ref)) ? 'ignored' : 'parked';
  const cause = { type: 'reconciliation', id: run.id } as const;
  const { status } = await look.ask('parked', () => syncObject(deps, { connectionId, ref, cause }));
  return status === 'parked' || status === 'ignored' ? status : 'in_sync';
}
