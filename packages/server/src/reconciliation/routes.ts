import { Type } from 'typebox';
import { auditContextOf } from '../audit/context.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import type { App } from '../platform/http/app.ts';
import { Actor, Closed, CustomerId, ListOf, ListQuery, named, OneOf, ProjectId } from '../platform/http/schemas.ts';
import type { Connections } from '../stripe/connections.ts';
import { CAUSES } from './cause.ts';
import { getRun, listDrifts, listRuns } from './find-runs.ts';
import { DRIFT_KINDS } from './kind.ts';
import { ACTIONS } from './record-drift.ts';
import { scopeOf } from './scope.ts';
import { startRun } from './start-run.ts';
import { driftView, RUN_STATUSES, RUN_TRIGGERS, RunView, RunWithDriftsView, runView, StartedRunView } from './views.ts';

export interface ReconciliationRoutesDeps {
  db: Database;
  clock: Clock;
  connections: Connections;
}

const admin = { access: { admin: true } } as const;
const tags = ['Reconciliation'];

const ReconcileBody = named(
  'ReconcileRequest',
  Closed({
    project_id: Type.Optional(ProjectId),
    customer_id: Type.Optional(CustomerId),
    dry_run: Type.Optional(Type.Boolean({ default: false, description: 'Only report. Default false.' })),
    actor: Type.Optional(Actor),
  }),
);

const DriftsLike = {
  kind: Type.Optional(OneOf(DRIFT_KINDS)),
  cause: Type.Optional(OneOf(CAUSES)),
  action: Type.Optional(OneOf(ACTIONS)),
};

/** Reconciliation over HTTP, for operators. */
export function registerReconciliationRoutes(app: App, deps: ReconciliationRoutesDeps): void {
  app.post(
    '/api/v1/admin/reconcile',
    {
      config: admin,
      schema: {
        tags,
        summary: 'Compare everything with Stripe, and repair what differs',
        description:
          'Of every project, of one, or of one customer. Runs in the background; of a scope one at a time, a second is 409 `reconciliation_running` with its `run_id`.',
        body: ReconcileBody,
        response: { 202: StartedRunView },
      },
    },
    async (request, reply) => {
      const { project_id: projectId, customer_id: customerId, dry_run: dryRun = false, actor } = request.body;
      const scope = await scopeOf(deps.db, { projectId, customerId });
      const input = { scope, dryRun, trigger: 'manual' } as const;
      const { id, status } = await startRun(deps, input, auditContextOf(request, actor));
      return reply.code(202).send({ object: 'reconciliation_run', id, status });
    },
  );

  app.get(
    '/api/v1/admin/reconciliations',
    {
      config: admin,
      schema: {
        tags,
        summary: 'List reconciliations',
        description: 'Newest first; with `kind`, `cause` or `action`: those that have a drift like that.',
        querystring: Closed({
          ...ListQuery,
          ...DriftsLike,
          project_id: Type.Optional(ProjectId),
          status: Type.Optional(OneOf(RUN_STATUSES)),
          trigger: Type.Optional(OneOf(RUN_TRIGGERS)),
        }),
        response: { 200: ListOf(RunView) },
      },
    },
    async ({ query }) => {
      const { limit, cursor, project_id: projectId, status, trigger, ...drifts } = query;
      const found = await listRuns(deps.db, { projectId, status, trigger, drifts, limit, cursor });
      return { ...found, data: found.data.map((run) => runView(run, deps.connections.ids())) };
    },
  );

  app.get(
    '/api/v1/admin/reconciliations/:id',
    {
      config: admin,
      schema: {
        tags,
        summary: 'Get a reconciliation with its drifts',
        params: Closed({ id: Type.String({ minLength: 1, maxLength: 64 }) }),
        querystring: Closed({
          ...ListQuery,
          ...DriftsLike,
          limit: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 1000, default: 100, description: 'Drifts a page. Default 100.' }),
          ),
        }),
        response: { 200: RunWithDriftsView },
      },
    },
    async ({ params, query }) => {
      const run = await getRun(deps.db, params.id);
      const drifts = await listDrifts(deps.db, run.id, { ...query, limit: query.limit ?? 100 });
      return {
        ...runView(run, deps.connections.ids()),
        drifts: drifts.data.map(driftView),
        drifts_has_more: drifts.has_more,
        drifts_next_cursor: drifts.next_cursor,
      };
    },
  );
}
