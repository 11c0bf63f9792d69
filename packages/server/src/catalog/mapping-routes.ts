import type { FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { auditContextOf } from '../audit/context.ts';
import type { App } from '../platform/http/app.ts';
import { named, WithProject } from '../platform/http/schemas.ts';
import { requestedProject } from '../projects/requested-project.ts';
import type { CatalogDeps } from './deps.ts';
import { getRecomputation } from './find-recomputation.ts';
import { MappingInputs } from './mapping-inputs.ts';
import { FeaturesChangeView, previewView, RecomputationView, recomputationView } from './mapping-views.ts';
import type { MappingOwner } from './mappings.ts';
import { previewMappings } from './preview-mappings.ts';
import { replaceMappings } from './replace-mappings.ts';
import { IdParams } from './route-schemas.ts';
import { mappingView } from './views.ts';

const ReplaceBody = named('ReplaceFeaturesRequest', WithProject({ features: MappingInputs }));
const ReplaceQuery = WithProject({
  dry_run: Type.Optional(
    Type.Boolean({ default: false, description: 'Answers who would gain and lose what, and changes nothing.' }),
  ),
});

/** What products and prices unlock, over HTTP. */
export function registerMappingRoutes(app: App, deps: CatalogDeps): void {
  for (const [type, path] of [
    ['product', '/api/v1/products/:id/features'],
    ['price', '/api/v1/prices/:id/features'],
  ] as const) {
    app.put(
      path,
      {
        config: { access: { scope: 'catalog:write' } },
        schema: {
          tags: ['Catalog'],
          summary: `Replace what a ${type} unlocks`,
          description:
            'Puts the whole set in the place of the one before. Every customer is then recomputed in the background; `recomputation` (null when the set was the same) tells where to follow that.',
          params: IdParams,
          querystring: ReplaceQuery,
          body: ReplaceBody,
          response: { 200: FeaturesChangeView },
        },
      },
      async (request) => {
        const owner = { type, id: request.params.id };
        const { features } = request.body;
        if (request.query.dry_run === true) {
          const input = { projectId: await requestedProject(request, deps.db), owner, features };
          return previewView(owner, await previewMappings(deps, input));
        }
        return await replace(deps, request, owner, features);
      },
    );
  }

  app.get(
    '/api/v1/recomputations/:id',
    {
      config: { access: { scope: 'catalog:read' } },
      schema: {
        tags: ['Catalog'],
        summary: 'Get the progress of a recomputation',
        description: 'A change of mappings or policy sets one off. It is kept for 30 days after its end.',
        params: IdParams,
        querystring: WithProject({}),
        response: { 200: RecomputationView },
      },
    },
    async (request) => {
      const projectId = await requestedProject(request, deps.db);
      return recomputationView(await getRecomputation(deps.db, projectId, request.params.id));
    },
  );
}

async function replace(
  deps: CatalogDeps,
  request: FastifyRequest,
  owner: MappingOwner,
  features: Static<typeof MappingInputs>,
): Promise<Static<typeof FeaturesChangeView>> {
  const projectId = await requestedProject(request, deps.db);
  const replaced = await replaceMappings(deps, { projectId, owner, features }, auditContextOf(request));
  const { recomputationId } = replaced;
  return {
    object: 'features_change',
    dry_run: false,
    owner,
    features: replaced.mappings.map(mappingView),
    recomputation:
      recomputationId === null ? null : recomputationView(await getRecomputation(deps.db, projectId, recomputationId)),
    preview: null,
  };
}
