/** The OpenAPI document, generated from the schemas that validate requests and serialise responses. */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify';
import type { TSchema } from 'typebox';
import { takesIdempotencyKey } from './idempotency.ts';
import { Problem } from './schemas.ts';
import { PAGE_HEADERS } from './security-headers.ts';

/** Registers the generator; it sees the routes that are added after it. */
export async function registerOpenApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Tollgate',
        version,
        description: 'Billing and entitlements for many apps on top of Stripe.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/' }],
      components: {
        securitySchemes: {
          key: {
            type: 'http',
            scheme: 'bearer',
            description: 'A project key (tg_sk_, tg_pk_) or an admin key (tg_admin_).',
          },
        },
      },
    },
    refResolver: { buildLocalReference: (json, _baseUri, _fragment, i) => String(json.$id ?? `Schema${i}`) },
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: PAGE_HEADERS['content-security-policy'],
    uiConfig: { deepLinking: true, persistAuthorization: false },
    theme: {
      title: 'Tollgate · API',
      // Its bar has another project's logo, and a field for another document's address.
      css: [{ filename: 'tollgate.css', content: '.swagger-ui .topbar{display:none}' }],
    },
  });
}

/** The route's schema with what the app itself answers: problems, and the key that a repeat carries. */
export function documented(route: RouteOptions): FastifySchema {
  const schema = route.schema ?? {};
  const access = route.config?.access;
  const isPublic = access === undefined || 'public' in access;
  const idempotent = takesIdempotencyKey(route);
  const problems: Record<string, string> = {};
  if (schema.body !== undefined || schema.querystring !== undefined || !isPublic)
    problems[400] = 'The request is not valid.';
  if (!isPublic) {
    problems[401] = 'The key is missing or not valid.';
    problems[403] = 'The key may not do this.';
  }
  if (route.url.includes(':')) problems[404] = 'There is no such object in the project.';
  if (idempotent) {
    problems[409] = 'It conflicts with the present state, or the first request with this key still runs.';
    problems[422] = 'The idempotency key was used with another body.';
  }
  if (!isPublic && route.config?.rateLimit !== false) problems[429] = 'Too many requests; see Retry-After.';
  problems.default = 'Any other problem.';
  const response = { ...(schema.response as Record<string, unknown> | undefined) };
  for (const [status, description] of Object.entries(problems)) {
    response[status] ??= { description, content: { 'application/problem+json': { schema: Problem } } };
  }
  return {
    ...schema,
    response,
    operationId: schema.operationId ?? operationId(route),
    ...(isPublic ? {} : { security: [{ key: [] }] }),
    ...(idempotent && schema.headers === undefined ? { headers: IDEMPOTENCY_HEADERS } : {}),
  };
}

const IDEMPOTENCY_HEADERS: TSchema = {
  type: 'object',
  properties: {
    'idempotency-key': {
      type: 'string',
      maxLength: 255,
      description: 'A repeat with the same key within 24 hours gets the first answer, and nothing happens twice.',
    },
  },
} as TSchema;

/** `get_products_id`: stable, and unique since a method and a path are. */
function operationId(route: RouteOptions): string {
  const method = Array.isArray(route.method) ? route.method[0] : route.method;
  const words = route.url
    .replace(/^\/api\/v1/, '')
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '');
  return [String(method).toLowerCase(), ...words].join('_');
}
