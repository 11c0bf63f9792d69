import { Type } from 'typebox';
import { auditContextOf } from '../audit/context.ts';
import type { App } from '../platform/http/app.ts';
import { repeatKey } from '../platform/http/repeat-key.ts';
import { ListOf, ListQuery, named, WithProject } from '../platform/http/schemas.ts';
import { requestedProject } from '../projects/requested-project.ts';
import { OBJECT_ID } from '../stripe/object-id.ts';
import { createProduct } from './create-product.ts';
import type { CatalogDeps } from './deps.ts';
import { getProduct, listProducts } from './find-product.ts';
import { importProduct } from './import-product.ts';
import { MappingInputs } from './mapping-inputs.ts';
import { checkedMappings, mappingsByOwner, mappingsOfOwner } from './mappings.ts';
import { replaceMappings } from './replace-mappings.ts';
import { ActiveFilter, IdParams, ProductDescription, ProductName } from './route-schemas.ts';
import { updateProduct } from './update-product.ts';
import { ProductView, productView } from './views.ts';

const read = { access: { scope: 'catalog:read', publishable: true } } as const;
const write = { access: { scope: 'catalog:write' } } as const;

const CreateProductBody = named(
  'CreateProductRequest',
  WithProject({
    name: ProductName,
    description: Type.Optional(ProductDescription),
    features: Type.Optional(MappingInputs),
  }),
);
const UpdateProductBody = named(
  'UpdateProductRequest',
  WithProject({
    name: Type.Optional(ProductName),
    description: Type.Optional(ProductDescription),
    active: Type.Optional(
      Type.Boolean({ description: 'false archives it: no longer sold, and kept by who bought it.' }),
    ),
    features: Type.Optional(MappingInputs),
  }),
);
const ImportProductBody = named(
  'ImportProductRequest',
  WithProject({
    stripe_product_id: Type.String({ pattern: OBJECT_ID, description: "Stripe's `prod_…`." }),
  }),
);

/** What is sold, over HTTP. */
export function registerProductRoutes(app: App, deps: CatalogDeps): void {
  app.get(
    '/api/v1/products',
    {
      config: read,
      schema: {
        tags: ['Catalog'],
        summary: 'List products',
        description: 'In order of their ids.',
        querystring: WithProject({ ...ListQuery, active: Type.Optional(ActiveFilter) }),
        response: { 200: ListOf(ProductView) },
      },
    },
    async (request) => {
      const projectId = await requestedProject(request, deps.db);
      const found = await listProducts(deps.db, projectId, request.query);
      const ids = found.data.map(({ id }) => id);
      const mappings = await mappingsByOwner(deps.db, projectId, 'product', ids);
      return { ...found, data: found.data.map((row) => productView(row, mappings.get(row.id) ?? [])) };
    },
  );

  app.post(
    '/api/v1/products',
    {
      config: write,
      schema: {
        tags: ['Catalog'],
        summary: 'Create a product',
        description: "Makes it in Stripe too, and keeps Stripe's id.",
        body: CreateProductBody,
        response: { 201: ProductView },
      },
    },
    async (request, reply) => {
      const { name, description = null, features = [] } = request.body;
      const projectId = await requestedProject(request, deps.db);
      const input = { projectId, name, description, features, repeatKey: repeatKey(request) };
      const { product, mappings } = await createProduct(deps, input, auditContextOf(request));
      return reply.code(201).send(productView(product, mappings));
    },
  );

  app.post(
    '/api/v1/products/import',
    {
      config: write,
      schema: {
        tags: ['Catalog'],
        summary: 'Import a product from Stripe',
        description:
          'Adopts a product that exists in Stripe, with its prices. Doing so again brings the copy up to date.',
        body: ImportProductBody,
        response: { 201: ProductView },
      },
    },
    async (request, reply) => {
      const projectId = await requestedProject(request, deps.db);
      const input = { projectId, stripeProductId: request.body.stripe_product_id };
      const { product, mappings } = await importProduct(deps, input, auditContextOf(request));
      return reply.code(201).send(productView(product, mappings));
    },
  );

  app.get(
    '/api/v1/products/:id',
    {
      config: read,
      schema: {
        tags: ['Catalog'],
        summary: 'Get a product',
        params: IdParams,
        querystring: WithProject({}),
        response: { 200: ProductView },
      },
    },
    async (request) => {
      const projectId = await requestedProject(request, deps.db);
      const { id } = request.params;
      const product = await getProduct(deps.db, projectId, id);
      return productView(product, await mappingsOfOwner(deps.db, projectId, { type: 'product', id }));
    },
  );

  app.patch(
    '/api/v1/products/:id',
    {
      config: write,
      schema: {
        tags: ['Catalog'],
        summary: 'Update a product',
        description:
          'Changes it in Stripe first. Archiving it takes nothing from who bought it. `features` replaces what it unlocks, as `PUT /products/{id}/features` does.',
        params: IdParams,
        body: UpdateProductBody,
        response: { 200: ProductView },
      },
    },
    async (request) => {
      const projectId = await requestedProject(request, deps.db);
      const { id } = request.params;
      const { name, description, active, features } = request.body;
      const patch = { name, description, active };
      // A mistake in them changes nothing in Stripe.
      if (features !== undefined) await checkedMappings(deps.db, projectId, features);
      const product = await updateProduct(deps, { projectId, id }, patch, auditContextOf(request));
      if (features !== undefined) {
        const input = { projectId, owner: { type: 'product', id }, features } as const;
        await replaceMappings(deps, input, auditContextOf(request));
      }
      return productView(product, await mappingsOfOwner(deps.db, projectId, { type: 'product', id }));
    },
  );
}
