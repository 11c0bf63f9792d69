import { Type } from 'typebox';
import { auditContextOf } from '../audit/context.ts';
import { findCustomer } from '../customers/find.ts';
import type { App } from '../platform/http/app.ts';
import {
  Actor,
  Closed,
  CustomerId,
  ListOf,
  ListQuery,
  named,
  OneOf,
  ProjectId,
  Timestamp,
  WithProject,
} from '../platform/http/schemas.ts';
import { requestedProject } from '../projects/requested-project.ts';
import { deleteEndpoint, rotateSigningSecret, updateEndpoint } from './change-endpoint.ts';
import { createEndpoint } from './create-endpoint.ts';
import { listDeliveries } from './deliveries.ts';
import type { NoticeDeps } from './deps.ts';
import { getEndpoint, listEndpoints } from './find-endpoint.ts';
import { replayNotices } from './replay.ts';
import {
  DeletedEndpointView,
  DeliveryView,
  deliveryView,
  EndpointView,
  EndpointWithSecretView,
  endpointView,
  ReplayView,
} from './views.ts';

// Who hears of every customer's entitlements is a matter of the customers.
const read = { access: { scope: 'customers:read' } } as const;
const write = { access: { scope: 'customers:write' } } as const;
const tags = ['Webhook endpoints'];

const EndpointParams = Closed({ id: Type.String({ minLength: 1, maxLength: 64 }) });
const EndpointUrl = Type.String({
  minLength: 1,
  maxLength: 2000,
  description: 'https, or http within this machine and private networks.',
});
const Description = Type.String({ minLength: 1, maxLength: 500 });
const WEEK_SECONDS = 7 * 24 * 60 * 60;
const DAY_SECONDS = 24 * 60 * 60;

const CreateBody = named(
  'CreateWebhookEndpointRequest',
  WithProject({ url: EndpointUrl, description: Type.Optional(Description), actor: Type.Optional(Actor) }),
);
const UpdateBody = named(
  'UpdateWebhookEndpointRequest',
  WithProject({
    url: Type.Optional(EndpointUrl),
    description: Type.Optional(Type.Union([Description, Type.Null()])),
    status: Type.Optional(OneOf(['enabled', 'disabled'])),
    actor: Type.Optional(Actor),
  }),
);
const RotateBody = named(
  'RotateSigningSecretRequest',
  WithProject({
    overlap_seconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: WEEK_SECONDS,
        default: DAY_SECONDS,
        description: 'How long notices are signed with the secret before as well.',
      }),
    ),
    actor: Type.Optional(Actor),
  }),
);
const ReplayBody = named(
  'ReplayNoticesRequest',
  WithProject({
    since: Timestamp,
    customer_id: Type.Optional(CustomerId),
    actor: Type.Optional(Actor),
  }),
);

/** Endpoints of apps that are told when entitlements change, over HTTP. */
export function registerNoticeRoutes(app: App, deps: NoticeDeps): void {
  registerReading(app, deps);

  app.post(
    '/api/v1/webhook-endpoints',
    {
      config: write,
      schema: {
        tags,
        summary: 'Create a webhook endpoint',
        description:
          "From now on it is sent a signed notice (Standard Webhooks) of every change of a customer's entitlements, in each customer's order and at least once.",
        body: CreateBody,
        response: { 201: EndpointWithSecretView },
      },
    },
    async (request, reply) => {
      const { url, description = null, actor } = request.body;
      const projectId = await requestedProject(request, deps.db);
      const input = { projectId, url, description };
      const { row, signingSecret } = await createEndpoint(deps, input, auditContextOf(request, actor));
      return reply.code(201).send({ ...endpointView(row), signing_secret: signingSecret });
    },
  );

  app.patch(
    '/api/v1/webhook-endpoints/:id',
    {
      config: write,
      schema: {
        tags,
        summary: 'Update a webhook endpoint',
        description: 'One that is enabled again is sent what it missed.',
        params: EndpointParams,
        body: UpdateBody,
        response: { 200: EndpointView },
      },
    },
    async (request) => {
      const { url, description, status, actor } = request.body;
      const target = { projectId: await requestedProject(request, deps.db), endpointId: request.params.id };
      const patch = { url, description, status };
      return endpointView(await updateEndpoint(deps, target, patch, auditContextOf(request, actor)));
    },
  );

  app.delete(
    '/api/v1/webhook-endpoints/:id',
    {
      config: write,
      schema: {
        tags,
        summary: 'Delete a webhook endpoint',
        params: EndpointParams,
        querystring: Closed({ project_id: Type.Optional(ProjectId), actor: Type.Optional(Actor) }),
        response: { 200: DeletedEndpointView },
      },
    },
    async (request) => {
      const target = { projectId: await requestedProject(request, deps.db), endpointId: request.params.id };
      const { id } = await deleteEndpoint(deps, target, auditContextOf(request, request.query.actor));
      return { object: 'webhook_endpoint' as const, id, deleted: true as const };
    },
  );

  app.post(
    '/api/v1/webhook-endpoints/:id/rotate',
    {
      config: write,
      schema: {
        tags,
        summary: 'Rotate a signing secret',
        description: 'Notices carry a signature by each secret that holds, so that either verifies during the overlap.',
        params: EndpointParams,
        body: RotateBody,
        response: { 201: EndpointWithSecretView },
      },
    },
    async (request, reply) => {
      const { overlap_seconds: overlapSeconds = DAY_SECONDS, actor } = request.body;
      const projectId = await requestedProject(request, deps.db);
      const target = { projectId, endpointId: request.params.id, overlapSeconds };
      const { row, signingSecret } = await rotateSigningSecret(deps, target, auditContextOf(request, actor));
      return reply.code(201).send({ ...endpointView(row), signing_secret: signingSecret });
    },
  );

  app.post(
    '/api/v1/webhook-endpoints/:id/replay',
    {
      config: write,
      schema: {
        tags,
        summary: 'Send notices again',
        description:
          'Those of every change since a moment, or of one customer, in order and under their own ids; also to an endpoint that was not there yet. Notices are kept for 30 days.',
        params: EndpointParams,
        body: ReplayBody,
        response: { 202: ReplayView },
      },
    },
    async (request, reply) => {
      const { since, customer_id: customerId, actor } = request.body;
      const projectId = await requestedProject(request, deps.db);
      const replay = { projectId, endpointId: request.params.id, since: new Date(since), customerId };
      const queued = await replayNotices(deps, replay, auditContextOf(request, actor));
      return reply.code(202).send({ object: 'replay' as const, queued });
    },
  );
}

function registerReading(app: App, { db }: NoticeDeps): void {
  app.get(
    '/api/v1/webhook-endpoints',
    {
      config: read,
      schema: {
        tags,
        summary: 'List webhook endpoints',
        querystring: WithProject(ListQuery),
        response: { 200: ListOf(EndpointView) },
      },
    },
    async (request) => {
      const found = await listEndpoints(db, await requestedProject(request, db), request.query);
      return { ...found, data: found.data.map(endpointView) };
    },
  );

  app.get(
    '/api/v1/webhook-endpoints/:id',
    {
      config: read,
      schema: {
        tags,
        summary: 'Get a webhook endpoint',
        params: EndpointParams,
        querystring: WithProject({}),
        response: { 200: EndpointView },
      },
    },
    async (request) => endpointView(await getEndpoint(db, await requestedProject(request, db), request.params.id)),
  );

  app.get(
    '/api/v1/webhook-endpoints/:id/deliveries',
    {
      config: read,
      schema: {
        tags,
        summary: 'List what an endpoint was sent',
        description: 'Newest first; `pending` what it has not taken yet, with why.',
        params: EndpointParams,
        querystring: WithProject({
          ...ListQuery,
          status: Type.Optional(OneOf(['pending', 'delivered'])),
          customer_id: Type.Optional(CustomerId),
        }),
        response: { 200: ListOf(DeliveryView) },
      },
    },
    async (request) => {
      const { status, customer_id, limit, cursor } = request.query;
      const projectId = await requestedProject(request, db);
      const { id: endpointId } = await getEndpoint(db, projectId, request.params.id);
      const customer = customer_id === undefined ? undefined : await findCustomer(db, projectId, customer_id);
      const customerId = customer_id === undefined ? undefined : (customer?.id ?? '');
      const found = await listDeliveries(db, { endpointId, status, customerId, limit, cursor });
      return { ...found, data: found.data.map(deliveryView) };
    },
  );
}
