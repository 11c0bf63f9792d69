import { Type } from 'typebox';
import { auditContextOf } from '../audit/context.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import type { App } from '../platform/http/app.ts';
import {
  Actor,
  Closed,
  FeatureCode,
  ListOf,
  ListQuery,
  named,
  ProjectId,
  ReasonText,
} from '../platform/http/schemas.ts';
import { getImport, listGains, listImports, listParkedBy } from './find-imports.ts';
import type { ImportRequest } from './import-request.ts';
import { startImport } from './start-import.ts';
import {
  CustomerIdFrom,
  GainView,
  gainView,
  ImportParkedView,
  ImportView,
  importParkedView,
  importView,
  ProductsToImport,
} from './views.ts';

export interface AdoptionRoutesDeps {
  db: Database;
  clock: Clock;
}

const admin = { access: { admin: true } } as const;
const tags = ['Imports'];
const Params = Closed({ id: Type.String({ minLength: 1, maxLength: 64 }) });

const ImportBody = named(
  'ImportRequest',
  Closed({
    project_id: ProjectId,
    dry_run: Type.Optional(Type.Boolean({ default: false, description: 'Only report. Default false.' })),
    products: Type.Optional(ProductsToImport),
    customer_id_from: Type.Optional(CustomerIdFrom),
    reason: ReasonText,
    actor: Type.Optional(Actor),
  }),
);

/** Importing a whole Stripe account, over HTTP, for operators. */
export function registerAdoptionRoutes(app: App, { db, clock }: AdoptionRoutesDeps): void {
  app.post(
    '/api/v1/admin/import',
    {
      config: admin,
      schema: {
        tags,
        summary: 'Import what a Stripe account has',
        description:
          "Products with their prices, and what was ever subscribed to or bought of them, into a project, without a webhook. Runs in the background and goes on where it was after an interruption. What is another project's is left alone; doing so again changes nothing. Of a project one at a time, a second is 409 `import_running` with its `import_id`.",
        body: ImportBody,
        response: { 202: ImportView },
      },
    },
    async (request, reply) => {
      const { body } = request;
      const asked: ImportRequest = {
        products: body.products ?? 'all',
        customer_id_from: body.customer_id_from ?? 'stripe_customer_id',
      };
      const input = { projectId: body.project_id, dryRun: body.dry_run ?? false, request: asked, reason: body.reason };
      const row = await startImport({ db, clock }, input, auditContextOf(request, body.actor));
      return reply.code(202).send(importView({ ...row, entitled: [] }));
    },
  );

  app.get(
    '/api/v1/admin/imports',
    {
      config: admin,
      schema: {
        tags,
        summary: 'List imports',
        description: 'Newest first.',
        querystring: Closed({ ...ListQuery, project_id: Type.Optional(ProjectId) }),
        response: { 200: ListOf(ImportView) },
      },
    },
    async ({ query: { project_id: projectId, limit, cursor } }) => {
      const found = await listImports(db, { projectId, limit, cursor });
      return { ...found, data: found.data.map(importView) };
    },
  );

  app.get(
    '/api/v1/admin/imports/:id',
    {
      config: admin,
      schema: { tags, summary: 'Get an import with its progress', params: Params, response: { 200: ImportView } },
    },
    async ({ params }) => importView(await getImport(db, params.id)),
  );

  app.get(
    '/api/v1/admin/imports/:id/customers',
    {
      config: admin,
      schema: {
        tags,
        summary: 'List who is entitled to what through an import',
        description: 'Of a dry run: who would be. In order of their ids.',
        params: Params,
        querystring: Closed({ ...ListQuery, feature: Type.Optional(FeatureCode) }),
        response: { 200: ListOf(GainView) },
      },
    },
    async ({ params, query }) => {
      const { id } = await getImport(db, params.id);
      const found = await listGains(db, id, query);
      return { ...found, data: found.data.map(gainView) };
    },
  );

  app.get(
    '/api/v1/admin/imports/:id/parked',
    {
      config: admin,
      schema: {
        tags,
        summary: 'List what an import could attribute to nobody',
        description:
          'And the Stripe customers that it does not take, with the reason. Of a dry run: what it could not, and would not. What has been parked is decided on at `/admin/parked`.',
        params: Params,
        querystring: Closed(ListQuery),
        response: { 200: ListOf(ImportParkedView) },
      },
    },
    async ({ params, query }) => {
      const { id } = await getImport(db, params.id);
      const found = await listParkedBy(db, id, query);
      return { ...found, data: found.data.map(importParkedView) };
    },
  );
}
