import type { Tx } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import type { KeyRow } from './insert-key.ts';

/**
 * A key of a project, locked until the transaction ends.
 * @throws TollgateError `not_found`, also for another project's key
 */
export async function lockKey(tx: Tx, projectId: string, keyId: string): Promise<KeyRow> {
  const row = await tx
    .selectFrom('tollgate.api_keys')
    .selectAll()
    .where('project_id', '=', projectId)
    .where('id', '=', keyId)
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) {
    throw new TollgateError('not_found', 'There is no such key in this project. List its keys to see those there are.');
  }
  return row;
}
