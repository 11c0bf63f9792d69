import { evaluate, type FeatureChange, type SnapshotBody } from '@tollgate/core';
import { sql } from 'kysely';
import type { Cause } from '../facts/cause.ts';
import type { Tx } from '../platform/database.ts';
import { announce } from './announce.ts';
import { SNAPSHOTS_CHANNEL, snapshotMessage } from './channels.ts';

export interface SnapshotToSave {
  projectId: string;
  customerId: string;
  externalId: string;
  version: number;
  body: SnapshotBody;
  cause: Cause;
  changes: readonly FeatureChange[];
  recordedAt: Date;
}

/**
 * Makes each snapshot the current one, keeps it among the versions, and tells every cache at the commit; the project's
 * endpoints are told by jobs.
 */
export async function saveSnapshots(tx: Tx, snapshots: readonly SnapshotToSave[]): Promise<void> {
  if (snapshots.length === 0) return;
  await tx
    .insertInto('tollgate.snapshots')
    .values(
      snapshots.map((snapshot) => ({
        ...shared(snapshot),
        external_id: snapshot.externalId,
        next_change_at: nextChange(snapshot),
      })),
    )
    .onConflict((conflict) =>
      conflict.columns(['project_id', 'external_id']).doUpdateSet((set) => ({
        customer_id: set.ref('excluded.customer_id'),
        version: set.ref('excluded.version'),
        body: set.ref('excluded.body'),
        recorded_at: set.ref('excluded.recorded_at'),
        next_change_at: set.ref('excluded.next_change_at'),
      })),
    )
    .execute();
  await tx
    .insertInto('tollgate.snapshot_versions')
    .values(
      snapshots.map((snapshot) => ({
        ...shared(snapshot),
        cause: JSON.stringify(snapshot.cause),
        changes: JSON.stringify(snapshot.changes),
      })),
    )
    .execute();
  await announce(
    tx,
    snapshots.map((snapshot) => ({ ...snapshot, changedAt: snapshot.recordedAt })),
  );
  const messages = snapshots.map(({ projectId, externalId, version }) =>
    snapshotMessage({ projectId, externalId, version }),
  );
  await sql`select pg_notify(${SNAPSHOTS_CHANNEL}, message) from unnest(${messages}::text[]) message`.execute(tx);
}

function shared({ projectId, customerId, version, body, recordedAt }: SnapshotToSave) {
  return {
    project_id: projectId,
    customer_id: customerId,
    version,
    body: JSON.stringify(body),
    recorded_at: recordedAt,
  };
}

function nextChange({ body, recordedAt }: SnapshotToSave): Date | null {
  const { nextChangeAt } = evaluate(body, recordedAt.getTime());
  return nextChangeAt === null ? null : new Date(nextChangeAt);
}
