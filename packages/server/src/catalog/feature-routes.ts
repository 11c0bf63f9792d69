import { Type } from 'typebox';
import { auditContextOf } from '../audit/context.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import type { App } from '../platform/http/app.ts';
import {
  Closed,
  FeatureCode,
  ListOf,
  ListQuery,
  Nullable,
  named,
  OneOf,
  WithProject,
} from '../platform/http/schemas.ts';
import { requestedProject } from '../projects/requested-project.ts';
import { createFeature } from './create-feature.ts';
import { getFeature, listFeatures } from './find-feature.ts';
import { updateFeature } from './update-feature.ts';
import { FeatureView, featureView } from './views.ts';

const read = { access: { scope: 'catalog:read', publishable: true } } as const;
const write = { access: { scope: 'catalog:write' } } as const;

const Name = Type.String({ minLength: 1, maxLength: 200, pattern: '\\S' });
const Description = Nullable(Type.String({ maxLength: 2000 }));
const Params = Closed({ code: Type.String({ minLength: 1, maxLength: 200 }) });

const CreateFeatureBody = named(
  'CreateFeatureRequest',
  WithProject({
    code: FeatureCode,
    name: Name,
    type: OneOf(['boolean', 'limit', 'metered'], { description: '`metered` is not built yet, and refused.' }),
    aggregation: Type.Optional(
      OneOf(['max', 'sum'], { default: 'max', description: 'How the amounts of several sources combine.' }),
    ),
    description: Type.Optional(Description),
  }),
);
const UpdateFeatureBody = named(
  'UpdateFeatureRequest',
  WithProject({ name: Type.Optional(Name), description: Type.Optional(Description) }),
);

/** What can be switched on, over HTTP. */
export function registerFeatureRoutes(app: App, deps: { db: Database; clock: Clock }): void {
  app.get(
    '/api/v1/features',
    {
      config: read,
      schema: {
        tags: ['Catalog'],
        summary: 'List features',
        description: 'In order of their codes.',
        querystring: WithProject(ListQuery),
        response: { 200: ListOf(FeatureView) },
      },
    },
    async (request) => {
      const found = await listFeatures(deps.db, await requestedProject(request, deps.db), request.query);
      return { ...found, data: found.data.map(featureView) };
    },
  );

  app.post(
    '/api/v1/features',
    {
      config: write,
      schema: {
        tags: ['Catalog'],
        summary: 'Create a feature',
        description: 'Its code, type and aggregation never change afterwards.',
        body: CreateFeatureBody,
        response: { 201: FeatureView },
      },
    },
    async (request, reply) => {
      const { code, name, type, aggregation, description = null } = request.body;
      const input = { projectId: await requestedProject(request, deps.db), code, name, type, aggregation, description };
      return reply.code(201).send(featureView(await createFeature(deps, input, auditContextOf(request))));
    },
  );

  app.get(
    '/api/v1/features/:code',
    {
      config: read,
      schema: {
        tags: ['Catalog'],
        summary: 'Get a feature',
        params: Params,
        querystring: WithProject({}),
        response: { 200: FeatureView },
      },
    },
    async (request) =>
      featureView(await getFeature(deps.db, await requestedProject(request, deps.db), request.params.code)),
  );

  app.patch(
    '/api/v1/features/:code',
    {
      config: write,
      schema: {
        tags: ['Catalog'],
        summary: 'Update a feature',
        description: 'Changes its name and description. Its type and aggregation never change.',
        params: Params,
        body: UpdateFeatureBody,
        response: { 200: FeatureView },
      },
    },
    async (request) => {
      const { name, description } = request.body;
      const target = { projectId: await requestedProject(request, deps.db), code: request.params.code };
      return featureView(await updateFeature(deps, target, { name, description }, auditContextOf(request)));
    },
  );
}
