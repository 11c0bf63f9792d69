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
  OneOf,
  ProjectId,
  Timestamp,
} from '../platform/http/schemas.ts';
import { listAudit } from './list.ts';
import { verifyAuditChain } from './verify.ts';

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

const AuditVerification = named(
  'AuditVerification',
  Closed({
    object: Type.Literal('audit_verification'),
    intact: Type.Boolean(),
    entries: Type.Integer({ description: 'How many entries are right, from the first.' }),
    head: Nullable(Type.String({ description: 'The last hash, in hex; null for an empty or a broken trail.' })),
    broken_at: Nullable(
      Closed({
        position: Type.Integer(),
        id: Type.String(),
        why: OneOf(['changed', 'not_linked'], { description: '`not_linked`: entries before it are missing.' }),
      }),
    ),
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

  app.get(
    '/api/v1/admin/audit/verify',
    {
      config: { access: { admin: true } },
      schema: {
        tags: ['Audit'],
        summary: 'Verify the audit trail',
        description:
          'Computes the chain of hashes again, from the first entry to the last. Keep `head` elsewhere: compared with a ' +
          'later answer it also proves that no entry was cut off the end.',
        response: { 200: AuditVerification },
      },
    },
    async () => {
      const verdict = await verifyAuditChain(deps.db);
      const broken = verdict.intact ? null : { ...verdict.brokenAt, why: verdict.why };
      return {
        object: 'audit_verification' as const,
        intact: verdict.intact,
        entries: verdict.entries,
        head: verdict.intact ? verdict.head : null,
        broken_at: broken,
      };
    },
  );
}
