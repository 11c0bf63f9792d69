import { sql } from 'kysely';
import type { Log } from '../platform/log.ts';
import { SealError, sealAgain } from '../platform/sealing.ts';
import type { NoticeDeps } from './deps.ts';
import { type EndpointRow, holds, secretContext } from './secrets.ts';

/**
 * Sees to it at the start of a process that the signing secrets of every endpoint can be opened, and seals them with the
 * newest key, so that former keys can be dropped once every process has started so.
 * @throws SealError with every problem found
 */
export async function sealEndpointsAgain(deps: NoticeDeps & { log: Log }): Promise<void> {
  const endpoints = await deps.db
    .selectFrom('tollgate.webhook_endpoints')
    .select(['id', 'secrets'])
    .where('deleted_at', 'is', null)
    .orderBy('id')
    .execute();
  const problems: string[] = [];
  let sealedAgain = 0;
  for (const endpoint of endpoints) {
    try {
      if (await sealOneAgain(deps, endpoint)) sealedAgain += 1;
    } catch (error) {
      if (!(error instanceof SealError)) throw error;
      problems.push(error.message);
    }
  }
  if (problems.length > 0) {
    const list = problems.map((problem) => `- ${problem}`).join('\n');
    throw new SealError(`The notices of webhook endpoints cannot be signed:\n${list}`);
  }
  if (sealedAgain > 0)
    deps.log.info({ endpoints: sealedAgain }, 'Encrypted the secrets of webhook endpoints with the newest key');
}

/** @returns whether there was anything to do */
async function sealOneAgain(
  { db, clock, sealer }: NoticeDeps,
  { id, secrets }: Pick<EndpointRow, 'id' | 'secrets'>,
): Promise<boolean> {
  const now = clock.now();
  const current = secrets.map((secret) =>
    holds(secret, now) ? { ...secret, sealed: sealAgain(sealer, secret.sealed, secretContext(id)) } : secret,
  );
  if (current.every(({ sealed }, at) => sealed === secrets[at]?.sealed)) return false;
  await db
    .updateTable('tollgate.webhook_endpoints')
    .set({ secrets: JSON.stringify(current) })
    .where('id', '=', id)
    // Only in place of what was read: another process may do the same, and somebody may rotate them meanwhile.
    .where(sql<boolean>`secrets = ${JSON.stringify(secrets)}::jsonb`)
    .execute();
  return true;
}
