import { sql } from 'kysely';
import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import { ensureCustomer } from '../customers/ensure-customer.ts';
import type { GrantRow } from '../customers/grant-fields.ts';
import { lockCustomer } from '../customers/lock.ts';
import { recomputeCustomer } from '../entitlements/recompute.ts';
import { saveFact } from '../facts/save-fact.ts';
import type { Tx } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import { KEPT_FOR_MS } from '../platform/http/idempotency.ts';
import { idWithEnding, repeatableEnding } from '../platform/ids.ts';
import { getProject } from '../projects/find-project.ts';
import type { GrantDeps } from './deps.ts';
import { featureType } from './feature-type.ts';
import { grantFact } from './grant-fact.ts';

export interface GrantInput {
  projectId: string;
  /** The app's own id. */
  customerId: string;
  feature: string;
  effect: 'allow' | 'deny';
  value: number | null;
  unlimited: boolean;
  /** Undefined: from now on. */
  validFrom: Date | undefined;
  /** Null: without end. */
  validTo: Date | null;
  reason: string;
  /** The same for a request and its repeats (`repeatKey`). */
  repeatKey: string;
}

/**
 * Gives a customer a feature by hand, or forbids it; the customer need not be known. Grant, snapshot and audit entry
 * commit together, and a check sees it at once. A repeat of a request whose commit nobody heard of gets its grant.
 * @throws TollgateError `not_found` (project), `invalid_request`
 */
export async function grantFeature(deps: GrantDeps, input: GrantInput, context: AuditContext): Promise<GrantRow> {
  const { projectId, customerId, feature } = input;
  const now = deps.clock.now();
  const validFrom = input.validFrom ?? new Date(now);
  refuseEmptySpan(validFrom, input.validTo);
  const grant = await deps.db.transaction().execute(async (tx) => {
    await getProject(tx, projectId);
    await refuseMisfit(tx, input);
    const { id: ownId } = await ensureCustomer(tx, { projectId, externalId: customerId, now });
    await lockCustomer(tx, ownId);
    const ending = repeatableEnding(input.repeatKey);
    const made = await madeBefore(tx, ownId, ending, now);
    if (made !== undefined) return made;
    const row = await tx
      .insertInto('tollgate.grants')
      .values({
        id: idWithEnding('grant', now, ending),
        project_id: projectId,
        customer_id: ownId,
        feature,
        effect: input.effect,
        value: input.value,
        unlimited: input.unlimited,
        valid_from: validFrom,
        valid_to: input.validTo,
        reason: input.reason,
        actor: context.actor,
        created_at: new Date(now),
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    const cause = { type: 'grant', id: row.id } as const;
    const recordedAt = new Date(now);
    await saveFact(tx, { projectId, customerId: ownId, fact: grantFact(row), sequence: 0, cause, recordedAt });
    await recomputeCustomer(tx, { customerId: ownId, cause, now });
    const { id, effect, value, unlimited, valid_from, valid_to } = row;
    const detail = { grant: id, feature, effect, value, unlimited, valid_from, valid_to };
    const act = { action: 'grant.created', projectId, customerId: ownId, reason: input.reason, detail };
    await recordAudit(tx, { ...context, ...act }, now);
    return row;
  });
  deps.snapshots.forget(projectId, customerId);
  return grant;
}

/** What an earlier try of the same request committed. */
async function madeBefore(tx: Tx, ownId: string, ending: string, now: number): Promise<GrantRow | undefined> {
  return await tx
    .selectFrom('tollgate.grants')
    .selectAll()
    .where('customer_id', '=', ownId)
    .where(sql`right(id, ${ending.length}::int)`, '=', ending)
    .where('created_at', '>', new Date(now - KEPT_FOR_MS))
    .executeTakeFirst();
}

function refuseEmptySpan(from: Date, to: Date | null): void {
  if (to === null || to > from) return;
  throw new TollgateError(
    'invalid_request',
    `A grant from ${from.toISOString()} cannot end at ${to.toISOString()}. Send a later valid_to, or none.`,
    [{ path: 'valid_to', message: 'must be after valid_from, which is now when it is left out' }],
  );
}

async function refuseMisfit(tx: Tx, { projectId, feature, effect, value, unlimited }: GrantInput): Promise<void> {
  const featureIs = await featureType(tx, projectId, feature);
  const amount = value !== null ? 'value' : unlimited ? 'unlimited' : null;
  if (effect === 'deny') {
    if (amount !== null)
      throw misfit(amount, 'does not belong to a deny, which forbids the whole feature; leave it out');
    return;
  }
  switch (featureIs) {
    case 'boolean':
      if (amount !== null) throw misfit(amount, 'does not belong to a boolean feature; leave it out');
      return;
    case 'limit':
      if (amount === null) throw misfit('value', 'is required for a limit, or unlimited');
      if (value !== null && unlimited) throw misfit('value', 'cannot stand beside unlimited');
      return;
    case 'metered':
      throw misfit('feature', 'is a metered feature, which are not built yet');
    default:
      featureIs satisfies never;
  }
}

function misfit(path: string, message: string): TollgateError {
  return new TollgateError('invalid_request', `${path} ${message}.`, [{ path, message }]);
}
