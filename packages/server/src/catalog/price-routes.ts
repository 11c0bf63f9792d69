import { Type } from 'typebox';
import { auditContextOf } from '../audit/context.ts';
import type { App } from '../platform/http/app.ts';
import { repeatKey } from '../platform/http/repeat-key.ts';
import { Closed, ListOf, ListQuery, Nullable, named, OneOf, WithProject } from '../platform/http/schemas.ts';
import { requestedProject } from '../projects/requested-project.ts';
import { createPrice } from './create-price.ts';
import type { CatalogDeps } from './deps.ts';
import { getPrice, listPrices } from './find-product.ts';
import { MAX_LOOKUP_KEY_LENGTH } from './lookup-key.ts';
import { MappingInputs } from './mapping-inputs.ts';
import { mappingsByOwner, mappingsOfOwner } from './mappings.ts';
import { billingPeriod } from './recurring.ts';
import { ActiveFilter, IdParams } from './route-schemas.ts';
import { updatePrice } from './update-price.ts';
import { INTERVALS, PriceView, priceView } from './views.ts';

const read = { access: { scope: 'catalog:read', publishable: true } } as const;
const write = { access: { scope: 'catalog:write' } } as const;

/** The most digits that Stripe takes for any currency; for most it takes fewer, and says so itself. */
const MAX_AMOUNT = 999_999_999_999;

const Nickname = Nullable(Type.String({ minLength: 1, maxLength: 500 }));
const LookupKey = Type.String({
  minLength: 1,
  maxLength: MAX_LOOKUP_KEY_LENGTH,
  pattern: '^[^\\p{Cc}\\p{Zl}\\p{Zp}]*$',
  description: 'A name of your own for the price, unique in the project.',
});

const CreatePriceBody = named(
  'CreatePriceRequest',
  WithProject({
    product: Type.String({ minLength: 1, maxLength: 255, description: "Stripe's `prod_…`, of this project." }),
    currency: Type.String({ pattern: '^[a-z]{3}$', description: 'ISO 4217, lower case.' }),
    unit_amount: Type.Integer({ minimum: 0, maximum: MAX_AMOUNT, description: 'Minor units of the currency.' }),
    recurring: Type.Optional(
      Nullable(
        Closed({
          interval: OneOf(INTERVALS),
          interval_count: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 1095, default: 1, description: 'At most three years in all.' }),
          ),
        }),
      ),
    ),
    nickname: Type.Optional(Nickname),
    lookup_key: Type.Optional(Nullable(LookupKey)),
    features: Type.Optional(MappingInputs),
  }),
);
const UpdatePriceBody = named(
  'UpdatePriceRequest',
  WithProject({
    active: Type.Optional(
      Type.Boolean({ description: 'false archives it: no longer sold, and kept by who bought it.' }),
    ),
    nickname: Type.Optional(Nickname),
    lookup_key: Type.Optional(Nullable(LookupKey)),
  }),
);

/** For how much things are sold, over HTTP. */
export function registerPriceRoutes(app: App, deps: CatalogDeps): void {
  app.get(
    '/api/v1/prices',
    {
      config: read,
      schema: {
        tags: ['Catalog'],
        summary: 'List prices',
        description: 'In order of their ids.',
        querystring: WithProject({
          ...ListQuery,
          product: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
          lookup_key: Type.Optional(LookupKey),
          active: Type.Optional(ActiveFilter),
        }),
        response: { 200: ListOf(PriceView) },
      },
    },
    async (request) => {
      const projectId = await requestedProject(request, deps.db);
      const { limit, cursor, product, active, lookup_key: lookupKey } = request.query;
      const found = await listPrices(deps.db, projectId, { limit, cursor, product, active, lookupKey });
      const ids = found.data.map(({ id }) => id);
      const mappings = await mappingsByOwner(deps.db, projectId, 'price', ids);
      return { ...found, data: found.data.map((row) => priceView(row, mappings.get(row.id) ?? [])) };
    },
  );

  app.post(
    '/api/v1/prices',
    {
      config: write,
      schema: {
        tags: ['Catalog'],
        summary: 'Create a price',
        description: "Makes it in Stripe too, and keeps Stripe's id. Its amount and period never change afterwards.",
        body: CreatePriceBody,
        response: { 201: PriceView },
      },
    },
    async (request, reply) => {
      const { product, currency, unit_amount, recurring, nickname, lookup_key, features = [] } = request.body;
      const input = {
        product,
        currency,
        unitAmount: unit_amount,
        recurring: recurring ? billingPeriod(recurring) : null,
        nickname: nickname ?? null,
        lookupKey: lookup_key ?? null,
        features,
        projectId: await requestedProject(request, deps.db),
        repeatKey: repeatKey(request),
      };
      const { price, mappings } = await createPrice(deps, input, auditContextOf(request));
      return reply.code(201).send(priceView(price, mappings));
    },
  );

  app.get(
    '/api/v1/prices/:id',
    {
      config: read,
      schema: {
        tags: ['Catalog'],
        summary: 'Get a price',
        params: IdParams,
        querystring: WithProject({}),
        response: { 200: PriceView },
      },
    },
    async (request) => {
      const projectId = await requestedProject(request, deps.db);
      const { id } = request.params;
      const price = await getPrice(deps.db, projectId, id);
      return priceView(price, await mappingsOfOwner(deps.db, projectId, { type: 'price', id }));
    },
  );

  app.patch(
    '/api/v1/prices/:id',
    {
      config: write,
      schema: {
        tags: ['Catalog'],
        summary: 'Update a price',
        description:
          'Changes it in Stripe first. Archiving it takes nothing from who bought it. A lookup key that an archived price has moves over.',
        params: IdParams,
        body: UpdatePriceBody,
        response: { 200: PriceView },
      },
    },
    async (request) => {
      const projectId = await requestedProject(request, deps.db);
      const { id } = request.params;
      const { active, nickname, lookup_key: lookupKey } = request.body;
      const patch = { active, nickname, lookupKey };
      const price = await updatePrice(deps, { projectId, id }, patch, auditContextOf(request));
      return priceView(price, await mappingsOfOwner(deps.db, projectId, { type: 'price', id }));
    },
  );
}
