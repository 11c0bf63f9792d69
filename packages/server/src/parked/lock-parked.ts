import { enqueueSync } from '../facts/enqueue-sync.ts';
import type { ObjectType } from '../facts/object-ref.ts';
import type { Tx } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import { getParked, type ParkedRow } from './find-parked.ts';

/** The refusal to decide on an object that is settled. */
export function notParked({ status, resolution }: Pick<ParkedRow, 'status' | 'resolution'>): TollgateError {
  const why = resolution === null ? '' : ` (${resolution})`;
  return new TollgateError(
    'not_parked',
    `The object is parked no more: it is ${status}${why}. GET /api/v1/admin/parked lists what is.`,
    [],
    { parked_status: status },
  );
}

/** Takes the object's row until the transaction ends; customers are locked before. @returns how it stands */
export async function lockParked(tx: Tx, id: string): Promise<ParkedRow> {
  await tx.selectFrom('tollgate.parked_objects').select('id').where('id', '=', id).forUpdate().execute();
  return await getParked(tx, id);
}

/** Has the object looked at after the commit, with the events that wait for it. */
export async function syncLater(tx: Tx, parked: ParkedRow, runAt: Date): Promise<void> {
  const { connection_id: connectionId, object_type: type, object_id: id } = parked;
  const ref = { type: type as ObjectType, id };
  await enqueueSync(tx, { connectionId, ref, cause: { type: 'attachment', id: parked.id } }, { runAt });
}
