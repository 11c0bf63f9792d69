import { Type } from 'typebox';
import { auditContextOf } from '../audit/context.ts';
import type { App } from '../platform/http/app.ts';
import { DEFAULT_LIMIT, decodeCursor, page } from '../platform/http/pages.ts';
import { Actor, Closed, ListOf, ListQuery, Nullable, named } from '../platform/http/schemas.ts';
import { createConnection } from './create-connection.ts';
import type { ConnectionDeps } from './deps.ts';
import { disableConnection } from './disable-connection.ts';
import { loadConnection, loadRows } from './rows.ts';
import { setUpWebhook } from './set-up-webhook.ts';
import { updateConnection } from './update-connection.ts';
import { ConnectionView, connectionView } from './views.ts';

const admin = { access: { admin: true } } as const;
const tags = ['Connections'];

const Name = Type.String({ minLength: 1, maxLength: 200, pattern: '\\S' });
const Params = Closed({ id: Type.String({ minLength: 1, maxLength: 64 }) });
const SecretKey = Type.String({
  minLength: 1,
  maxLength: 500,
  description: "Stripe's secret or restricted key. It is stored encrypted, and never shown again.",
});
const WebhookSecrets = Type.Array(Type.String({ pattern: '^whsec_[!-~]+$', maxLength: 500 }), {
  maxItems: 10,
  uniqueItems: true,
  description: 'Signing secrets (`whsec_…`) of endpoints in Stripe. Any of them is accepted.',
});

const CreateConnectionBody = named(
  'CreateConnectionRequest',
  Closed({
    id: Type.String({
      pattern: '^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$',
      description: 'A name of your own, such as `acme`: it is part of the address that webhooks go to.',
    }),
    name: Type.Optional(Name),
    secret_key: SecretKey,
    webhook_secrets: Type.Optional(WebhookSecrets),
    api_base: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 500,
        description: 'Another host that speaks the API of Stripe: https, or http on loopback for a test key.',
      }),
    ),
    actor: Type.Optional(Actor),
  }),
);
const UpdateConnectionBody = named(
  'UpdateConnectionRequest',
  Closed({
    name: Type.Optional(Nullable(Name)),
    secret_key: Type.Optional(SecretKey),
    add_webhook_secrets: Type.Optional(WebhookSecrets),
    retire_webhook_secrets: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 300 }), {
        maxItems: 10,
        uniqueItems: true,
        description: 'Ids (`whs_…`) of secrets that are accepted no more.',
      }),
    ),
    actor: Type.Optional(Actor),
  }),
);
const WebhookBody = named(
  'SetUpWebhookRequest',
  Closed({
    url: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 2000,
        description: 'Where Stripe reaches this connection. Default: its path under PUBLIC_URL.',
      }),
    ),
    actor: Type.Optional(Actor),
  }),
);

/** The Stripe accounts of the installation over HTTP, for operators. */
export function registerConnectionRoutes(app: App, deps: ConnectionDeps): void {
  const shown = async (id: string) =>
    connectionView(await loadConnection(deps.db, id, deps.clock.now()), deps.registry);

  app.get(
    '/api/v1/admin/connections',
    {
      config: admin,
      schema: {
        tags,
        summary: 'List connections',
        description:
          'Every Stripe account of the installation, those taken out of use among them, in order of their ids.',
        querystring: Closed(ListQuery),
        response: { 200: ListOf(ConnectionView) },
      },
    },
    async ({ query: { limit = DEFAULT_LIMIT, cursor } }) => {
      const after = cursor === undefined ? '' : decodeCursor(cursor);
      const found = (await loadRows(deps.db, deps.clock.now())).filter(({ row }) => row.id > after);
      const { data, ...rest } = page(found.slice(0, limit + 1), limit, ({ row }) => row.id);
      return { ...rest, data: data.map((connection) => connectionView(connection, deps.registry)) };
    },
  );

  app.post(
    '/api/v1/admin/connections',
    {
      config: admin,
      schema: {
        tags,
        summary: 'Add a connection',
        description:
          'A Stripe account in one mode, with a key of its own. Stripe is asked whose the key is, and the connection stays of that account. Its webhook is set up afterwards.',
        body: CreateConnectionBody,
        response: { 201: ConnectionView },
      },
    },
    async (request, reply) => {
      const { id, name = null, secret_key: secretKey, webhook_secrets: webhookSecrets = [], actor } = request.body;
      const input = { id, name, secretKey, webhookSecrets, apiBase: request.body.api_base ?? null };
      await createConnection(deps, input, auditContextOf(request, actor));
      return reply.code(201).send(await shown(id));
    },
  );

  app.get(
    '/api/v1/admin/connections/:id',
    { config: admin, schema: { tags, summary: 'Get a connection', params: Params, response: { 200: ConnectionView } } },
    ({ params }) => shown(params.id),
  );

  app.patch(
    '/api/v1/admin/connections/:id',
    {
      config: admin,
      schema: {
        tags,
        summary: 'Update a connection',
        description:
          'Changes the name, replaces the key by one of the same account and mode, adds and retires signing secrets. All processes know of it within a moment.',
        params: Params,
        body: UpdateConnectionBody,
        response: { 200: ConnectionView },
      },
    },
    async (request) => {
      const { name, secret_key, add_webhook_secrets, retire_webhook_secrets, actor } = request.body;
      const patch = {
        name,
        secretKey: secret_key,
        addWebhookSecrets: add_webhook_secrets,
        retireWebhookSecrets: retire_webhook_secrets,
      };
      await updateConnection(deps, request.params.id, patch, auditContextOf(request, actor));
      return await shown(request.params.id);
    },
  );

  app.delete(
    '/api/v1/admin/connections/:id',
    {
      config: admin,
      schema: {
        tags,
        summary: 'Take a connection out of use',
        description:
          'Its secrets are forgotten, and its endpoint in Stripe is deleted if it was made here. What happened through it stays. Refused while projects use it.',
        params: Params,
        querystring: Closed({ actor: Type.Optional(Actor) }),
        response: { 200: ConnectionView },
      },
    },
    async (request) => {
      await disableConnection(deps, request.params.id, auditContextOf(request, request.query.actor));
      return await shown(request.params.id);
    },
  );

  app.post(
    '/api/v1/admin/connections/:id/webhook',
    {
      config: admin,
      schema: {
        tags,
        summary: 'Set up the webhook of a connection',
        description:
          'Makes the endpoint in Stripe, with the event types that are acted upon, and keeps its signing secret. Called again, it puts a new endpoint and secret in the place of the former; the former secret is accepted for another day. An endpoint that was made by hand stays.',
        params: Params,
        body: WebhookBody,
        response: { 201: ConnectionView },
      },
    },
    async (request, reply) => {
      const { url = null, actor } = request.body;
      await setUpWebhook(deps, request.params.id, url, auditContextOf(request, actor));
      return reply.code(201).send(await shown(request.params.id));
    },
  );
}
