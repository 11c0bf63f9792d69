import { type EntitlingSource, evaluateFeature } from '@tollgate/core';
import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import { type CustomerRow, findCustomer } from '../customers/find.ts';
import type { GrantRow } from '../customers/grant-fields.ts';
import { lockCustomer } from '../customers/lock.ts';
import { recomputeCustomer } from '../entitlements/recompute.ts';
import { saveFact } from '../facts/save-fact.ts';
import type { Tx } from '../platform/database.ts';
import { notFound } from '../platform/errors.ts';
import { getProject } from '../projects/find-project.ts';
import type { GrantDeps } from './deps.ts';
import { featureType } from './feature-type.ts';
import { grantFact } from './grant-fact.ts';

/** One grant, or everything that was given by hand of one feature. */
export type RevocationTarget = { grantId: string } | { projectId: string; customerId: string; feature: string };

export interface Revocation {
  /** The app's own id of the customer. */
  customerId: string;
  revoked: GrantRow[];
  stillEntitled: boolean;
  remainingSources: readonly EntitlingSource[];
}

/**
 * Takes grants back, from this moment on; what was is not changed. Revoking again changes nothing. By feature it revokes
 * what has been given and has not ended; a deny is lifted by its id alone.
 * @throws TollgateError `not_found` (grant, project or customer), `invalid_request` (feature)
 */
export async function revokeGrants(
  deps: GrantDeps,
  target: RevocationTarget,
  reason: string,
  context: AuditContext,
): Promise<Revocation> {
  const now = deps.clock.now();
  const { projectId, ...revocation } = await deps.db.transaction().execute(async (tx) => {
    const { customer, feature, grants } = await targeted(tx, target, now);
    const revoked: GrantRow[] = [];
    for (const grant of grants) {
      revoked.push(grant.revoked_at === null ? await revoke(tx, grant, reason, context.actor, now) : grant);
    }
    const fresh = revoked.filter((_, index) => grants[index]?.revoked_at === null);
    const [first] = fresh;
    if (first !== undefined) {
      await recomputeCustomer(tx, { customerId: customer.id, cause: { type: 'revocation', id: first.id }, now });
      for (const { id } of fresh) {
        const detail = { grant: id, feature };
        const act = {
          action: 'grant.revoked',
          projectId: customer.project_id,
          customerId: customer.id,
          reason,
          detail,
        };
        await recordAudit(tx, { ...context, ...act }, now);
      }
    }
    // Another one may have revoked at a later millisecond than this one began.
    const at = Math.max(now, ...revoked.map(({ revoked_at }) => revoked_at?.getTime() ?? now));
    const left = await remaining(tx, customer, feature, at);
    return { projectId: customer.project_id, customerId: customer.external_id, revoked, ...left };
  });
  deps.snapshots.forget(projectId, revocation.customerId);
  return revocation;
}

/** The grants meant, with their customer locked. */
async function targeted(
  tx: Tx,
  target: RevocationTarget,
  now: number,
): Promise<{ customer: CustomerRow; feature: string; grants: GrantRow[] }> {
  if ('grantId' in target) {
    const byId = () => tx.selectFrom('tollgate.grants').selectAll().where('id', '=', target.grantId);
    const known = await byId().executeTakeFirst();
    if (known === undefined) throw notFound('grant');
    const customer = await lockCustomer(tx, known.customer_id);
    // Read again: another revocation may have come first.
    return { customer, feature: known.feature, grants: [await byId().executeTakeFirstOrThrow()] };
  }
  const { projectId, customerId, feature } = target;
  await getProject(tx, projectId);
  await featureType(tx, projectId, feature);
  const found = await findCustomer(tx, projectId, customerId);
  if (found === undefined) throw notFound('customer');
  const customer = await lockCustomer(tx, found.id);
  const grants = await tx
    .selectFrom('tollgate.grants')
    .selectAll()
    .where('customer_id', '=', customer.id)
    .where('feature', '=', feature)
    .where('effect', '=', 'allow')
    .where('revoked_at', 'is', null)
    .where((where) => where.or([where('valid_to', 'is', null), where('valid_to', '>', new Date(now))]))
    .orderBy('id')
    .execute();
  return { customer, feature, grants };
}

async function revoke(tx: Tx, grant: GrantRow, reason: string, actor: string, now: number): Promise<GrantRow> {
  const row = await tx
    .updateTable('tollgate.grants')
    .set({ revoked_at: new Date(now), revoked_by: actor, revoke_reason: reason })
    .where('id', '=', grant.id)
    .returningAll()
    .executeTakeFirstOrThrow();
  await saveFact(tx, {
    projectId: row.project_id,
    customerId: row.customer_id,
    fact: grantFact(row),
    sequence: 0,
    cause: { type: 'revocation', id: row.id },
    recordedAt: new Date(now),
  });
  return row;
}

/** What entitles to the feature now that the grants are gone. */
async function remaining(tx: Tx, customer: CustomerRow, feature: string, now: number) {
  const snapshot = await tx
    .selectFrom('tollgate.snapshots')
    .select('body')
    .where('project_id', '=', customer.project_id)
    .where('external_id', '=', customer.external_id)
    .executeTakeFirst();
  const features = snapshot?.body.features ?? {};
  const trace = Object.hasOwn(features, feature) ? features[feature] : undefined;
  if (trace === undefined) return { stillEntitled: false, remainingSources: [] };
  const { entitled, sources } = evaluateFeature(trace, now);
  return { stillEntitled: entitled, remainingSources: sources };
}
