import { Type } from 'typebox';
import type { Database } from '../platform/database.ts';
import type { App } from '../platform/http/app.ts';
import {
  Closed,
  CustomerId,
  ListOf,
  ListQuery,
  Nullable,
  named,
  ProjectId,
  Timestamp,
} from '../platform/http/schemas.ts';
import { listAudit } from './list.ts';

const AuditEntry = named(
  'AuditEntry',
  Closed({
    object: Type.Literal('audit_entry'),
    id: Type.String(),
    recorded_at: Timestamp,
    actor: Type.String({ description: 'Who did it: the `actor` of the request, else the key.' }),
    key_id: Nullable(Type.String()),
    action: Type.String({ description: '`noun.verb`: `grant.created`, `key.revoked`.' }),
    project_id: Nullable(Type.String()),
    customer_id: Nullable(Type.String({ description: "The app's own id; null once the customer is erased." })),
    customer: Nullable(Type.String({ description: "Tollgate's id (`cust_…`), which is what the trail itself holds." })),
    reason: Nullable(Type.String()),
    request_id: Nullable(Type.String()),
    detail: Type.Record(Type.String(), Type.Unknown()),
  }),
);

const Word = Type.String({ minLength: 1, maxLength: 200 });

/** The audit trail over HTTP. It is only ever read here: entries are written by the acts themselves. */
export function registerAuditRoutes(app: App, deps: { db: Database }): void {
  app.get(
    '/api/v1/admin/audit',
    {
      config: { access: { admin: true } },
      schema: {
        tags: ['Audit'],
        summary: 'List the audit trail',
        description: 'Every administrative act, newest first. Entries are append-only and chained by hash.',
        querystring: Closed({
          ...ListQuery,
          project_id: Type.Optional(ProjectId),
          customer_id: Type.Optional(CustomerId),
          actor: Type.Optional(Word),
          action: Type.Optional(Word),
        }),
        response: { 200: ListOf(AuditEntry) },
      },
    },
    ({ query }) =>
      listAudit(deps.db, {
        projectId: query.project_id,
        customerId: query.customer_id,
        actor: query.actor,
        action: query.action,
        limit: query.limit,
        cursor: query.cursor,
      }),
  );
}
