import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import type { Tx } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import { newId } from '../platform/ids.ts';
import type { NoticeDeps } from './deps.ts';
import { type EndpointRow, needSealer, secretContext } from './secrets.ts';
import { newSigningSecret } from './signing.ts';
import { endpointProblem } from './target.ts';

/** Each is told of every change: more of them is rather a mistake than a wish. */
const MOST_ENDPOINTS = 10;

export interface CreatedEndpoint {
  row: EndpointRow;
  /** Shown this once. */
  signingSecret: string;
}

/**
 * Makes an endpoint, which hears of every change from now on.
 * @throws TollgateError `invalid_request` for a URL that nothing may be sent to; `too_many_endpoints`;
 *   `encryption_key_missing`
 */
export async function createEndpoint(
  { db, clock, sealer, ownPorts }: NoticeDeps,
  { projectId, url, description }: { projectId: string; url: string; description: string | null },
  context: AuditContext,
): Promise<CreatedEndpoint> {
  refuseBadUrl(url, ownPorts);
  const now = clock.now();
  const id = newId('whe');
  const signingSecret = newSigningSecret();
  const sealed = needSealer(sealer).seal(signingSecret, secretContext(id));
  const row = await db.transaction().execute(async (tx) => {
    await refuseTooMany(tx, projectId);
    const made = await tx
      .insertInto('tollgate.webhook_endpoints')
      .values({
        id,
        project_id: projectId,
        url,
        description,
        status: 'enabled',
        secrets: JSON.stringify([{ sealed, expires_at: null }]),
        created_at: new Date(now),
        updated_at: new Date(now),
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    const detail = { endpoint: id, url: withoutQuery(url) };
    await recordAudit(tx, { ...context, action: 'webhook_endpoint.created', projectId, detail }, now);
    return made;
  });
  return { row, signingSecret };
}

/** For the audit trail, which is kept for ever: a query may hold somebody's token. */
export function withoutQuery(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

/** @throws TollgateError `invalid_request` */
export function refuseBadUrl(url: string, ownPorts: NoticeDeps['ownPorts']): void {
  const message = endpointProblem(url, ownPorts?.());
  if (message !== null) throw new TollgateError('invalid_request', `url ${message}.`, [{ path: 'url', message }]);
}

async function refuseTooMany(tx: Tx, projectId: string): Promise<void> {
  // Of two that come together the second counts the first.
  await tx.selectFrom('tollgate.projects').select('id').where('id', '=', projectId).forNoKeyUpdate().execute();
  const { count } = await tx
    .selectFrom('tollgate.webhook_endpoints')
    .where('project_id', '=', projectId)
    .where('deleted_at', 'is', null)
    .select((of) => of.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  if (count < MOST_ENDPOINTS) return;
  throw new TollgateError(
    'too_many_endpoints',
    `A project has at most ${MOST_ENDPOINTS} webhook endpoints. Delete one first.`,
  );
}
