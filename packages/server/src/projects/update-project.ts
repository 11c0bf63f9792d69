import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import type { Cause } from '../facts/cause.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database, Tx } from '../platform/database.ts';
import { notify } from '../platform/notify.ts';
import { noSuchProject, type Project, projectOfRow } from './find-project.ts';
import { type AccessPolicyPatchWire, patchedPolicy, policyChanges } from './policy.ts';
import { type ModeOf, modeOfConnection, refuseMove } from './selling-connection.ts';

/** Asks for every customer of a project to be computed again, in the caller's transaction. */
export type RequestRecomputation = (tx: Tx, request: { projectId: string; cause: Cause }) => Promise<unknown>;

export interface UpdateProjectDeps {
  db: Database;
  clock: Clock;
  requestRecomputation: RequestRecomputation;
  modeOf?: ModeOf;
}

export interface ProjectPatch {
  name?: string | undefined;
  policy?: AccessPolicyPatchWire | undefined;
  /** Another Stripe connection to sell through. */
  connectionId?: string | undefined;
}

/** Where people may be sent says nothing about what they may use. */
const WITHOUT_EFFECT_ON_ACCESS = new Set(['redirect_origins']);

/**
 * Changes a project's name and policy. A policy that changes access makes every customer be computed again.
 * @throws TollgateError `not_found`, `invalid_request`, `connection_fixed`, `import_running`
 */
export async function updateProject(
  deps: UpdateProjectDeps,
  id: string,
  patch: ProjectPatch,
  context: AuditContext,
): Promise<Project> {
  const now = deps.clock.now();
  const mode = patch.connectionId === undefined ? null : await modeOfConnection(patch.connectionId, deps.modeOf);
  return await deps.db.transaction().execute(async (tx) => {
    const before = await tx
      .selectFrom('tollgate.projects')
      .selectAll()
      .where('id', '=', id)
      .forUpdate()
      .executeTakeFirst();
    if (before === undefined) throw noSuchProject();
    const project = projectOfRow(before);
    const policy = patchedPolicy(project.accessPolicy, patch.policy ?? {});
    const changes: Record<string, { before: unknown; after: unknown }> = policyChanges(project.accessPolicy, policy);
    const policyChanged = Object.keys(changes);
    if (patch.name !== undefined && patch.name !== project.name) {
      changes.name = { before: project.name, after: patch.name };
    }
    const connectionId = patch.connectionId ?? project.connectionId;
    if (mode !== null && connectionId !== project.connectionId) {
      await refuseMove(tx, project, { connectionId, mode }, deps.modeOf);
      changes.connection = { before: project.connectionId, after: connectionId };
    }
    if (Object.keys(changes).length === 0) return project;

    const after = await tx
      .updateTable('tollgate.projects')
      .set((set) => ({
        name: patch.name ?? project.name,
        connection_id: connectionId,
        access_policy: JSON.stringify(policy),
        updated_at: new Date(now),
        ...(policyChanged.length > 0 ? { catalog_version: set('catalog_version', '+', 1) } : {}),
      }))
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow();
    const act = { ...context, action: 'project.updated', projectId: id, detail: { changes } };
    const auditId = await recordAudit(tx, act, now);
    if (policyChanged.length > 0) await notify(tx, 'tollgate_catalog', id);
    if (policyChanged.some((field) => !WITHOUT_EFFECT_ON_ACCESS.has(field))) {
      await deps.requestRecomputation(tx, { projectId: id, cause: { type: 'policy', id: auditId } });
    }
    return projectOfRow(after);
  });
}
