/** Which Stripe connection a project sells through: chosen once, since what was sold is known there alone. */
import type { Tx } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import { noSuchProject, type Project } from './find-project.ts';

/** The mode of a connection that can be used now; null when there is none of that id. */
export type ModeOf = (connectionId: string) => Promise<'live' | 'test' | null>;

/** Where only the connection of the settings exists. */
const ONLY_DEFAULT: ModeOf = async (id) => (id === 'default' ? 'test' : null);

/** @throws TollgateError `invalid_request` when there is no such connection */
export async function modeOfConnection(id: string, modeOf: ModeOf = ONLY_DEFAULT): Promise<'live' | 'test'> {
  const mode = await modeOf(id);
  if (mode === null) throw noSuchConnection(id);
  return mode;
}

/**
 * Holds a connection until the transaction ends: meanwhile nobody takes it out of use.
 * @throws TollgateError `invalid_request` when that has happened
 */
export async function lockSellingConnection(tx: Tx, id: string): Promise<void> {
  const row = await tx
    .selectFrom('tollgate.connections')
    .select('disabled_at')
    .where('id', '=', id)
    .forShare()
    .executeTakeFirst();
  if (row !== undefined && row.disabled_at !== null) throw noSuchConnection(id);
}

/**
 * The connection that a project sells through, and goes on to sell through until the transaction ends.
 * @throws TollgateError `not_found`
 */
export async function holdSellingConnection(tx: Tx, projectId: string): Promise<string> {
  const row = await tx
    .selectFrom('tollgate.projects')
    .select('connection_id')
    .where('id', '=', projectId)
    .forShare()
    .executeTakeFirst();
  if (row === undefined) throw noSuchProject();
  return row.connection_id;
}

/**
 * Refuses to let a locked project sell through another connection once it has anything in the present one, or is about
 * to have.
 * @throws TollgateError `connection_fixed`, `import_running` (with `import_id`), `invalid_request`
 */
export async function refuseMove(
  tx: Tx,
  project: Project,
  target: { connectionId: string; mode: 'live' | 'test' },
  modeOf: ModeOf = ONLY_DEFAULT,
): Promise<void> {
  const { connectionId: from } = project;
  if ((await modeOf(from)) === 'live' && target.mode === 'test') {
    throw new TollgateError(
      'connection_fixed',
      `The project sells in live mode, and the connection "${target.connectionId}" is of test mode. Live and test never mix: make another project for testing.`,
    );
  }
  const [customer, product] = await Promise.all([
    tx.selectFrom('tollgate.customers').select('id').where('project_id', '=', project.id).limit(1).executeTakeFirst(),
    tx.selectFrom('tollgate.products').select('id').where('project_id', '=', project.id).limit(1).executeTakeFirst(),
  ]);
  if (customer !== undefined || product !== undefined) {
    throw new TollgateError(
      'connection_fixed',
      `The project has ${customer === undefined ? 'products' : 'customers'} in the connection "${from}", and they are known to that Stripe account alone. Make another project for the other account.`,
    );
  }
  await refuseWhileImported(tx, project);
  await lockSellingConnection(tx, target.connectionId);
}

async function refuseWhileImported(tx: Tx, { id, connectionId }: Project): Promise<void> {
  const running = await tx
    .selectFrom('tollgate.imports')
    .select('id')
    .where('project_id', '=', id)
    .where('status', 'in', ['queued', 'running'])
    .executeTakeFirst();
  if (running === undefined) return;
  throw new TollgateError(
    'import_running',
    `The import ${running.id} from the connection "${connectionId}" has not ended yet. Wait for it: GET /api/v1/admin/imports/{id}.`,
    [],
    { import_id: running.id },
  );
}

function noSuchConnection(id: string): TollgateError {
  return new TollgateError(
    'invalid_request',
    `There is no connection "${id}" that can be used. GET /api/v1/admin/connections lists those there are.`,
    [{ path: 'connection', message: 'is not a connection of this installation' }],
  );
}
