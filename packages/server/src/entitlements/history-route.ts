import { Type } from 'typebox';
import type { Database } from '../platform/database.ts';
import type { App } from '../platform/http/app.ts';
import {
  Closed,
  CustomerId,
  ListOf,
  ListQuery,
  named,
  OneOf,
  Timestamp,
  WithProject,
} from '../platform/http/schemas.ts';
import { requestedProject } from '../projects/requested-project.ts';
import { CauseView } from './cause-view.ts';
import { listVersions, type VersionRecord } from './history.ts';
import { decisionFields, decisionFieldsOf } from './views.ts';

const SnapshotVersionView = named(
  'SnapshotVersion',
  Closed({
    object: Type.Literal('snapshot_version'),
    customer_id: Type.String(),
    version: Type.Integer(),
    recorded_at: Timestamp,
    cause: CauseView,
    changes: Type.Array(
      Closed({
        feature: Type.String(),
        change: OneOf(['gained', 'lost', 'changed']),
        before: Closed(decisionFields),
        after: Closed(decisionFields),
      }),
      { description: 'What it changed at that moment; empty where it only changed what comes later.' },
    ),
  }),
);

export function registerHistoryRoute(app: App, { db }: { db: Database }): void {
  app.get(
    '/api/v1/entitlements/history',
    {
      config: { access: { scope: 'entitlements:read' } },
      schema: {
        tags: ['Entitlements'],
        summary: "List the versions of a customer's entitlements",
        description: 'Newest first: when each was recorded, what it changed, and what brought it about.',
        querystring: WithProject({ ...ListQuery, customer_id: CustomerId }),
        response: { 200: ListOf(SnapshotVersionView) },
      },
    },
    async (request) => {
      const { customer_id, limit, cursor } = request.query;
      const projectId = await requestedProject(request, db);
      const found = await listVersions(db, { projectId, customerId: customer_id, limit, cursor });
      return { ...found, data: found.data.map((version) => versionView(customer_id, version)) };
    },
  );
}

function versionView(customerId: string, { version, recordedAt, cause, changes }: VersionRecord) {
  return {
    object: 'snapshot_version' as const,
    customer_id: customerId,
    version,
    recorded_at: recordedAt.toISOString(),
    cause,
    changes: changes.map(({ feature, change, before, after }) => ({
      feature,
      change,
      before: decisionFieldsOf(before),
      after: decisionFieldsOf(after),
    })),
  };
}
