import { evaluate, type SnapshotBody } from '@tollgate/core';
import { type Static, Type } from 'typebox';
import { auditContextOf } from '../audit/context.ts';
import { type EntitlementsView, entitlementsView } from '../entitlements/views.ts';
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
  ReasonText,
} from '../platform/http/schemas.ts';
import { attachParked } from './attach.ts';
import type { ParkedDeps } from './deps.ts';
import { dismissParked } from './dismiss.ts';
import { getParked, listParked, namedCustomers, type ParkedRow } from './find-parked.ts';
import { AttachmentView, PARKED_STATUSES, PARKED_TYPES, ParkedView, parkedView } from './views.ts';

const admin = { access: { admin: true } } as const;
const tags = ['Parked objects'];
const Params = Closed({ id: Type.String({ minLength: 1, maxLength: 64 }) });
const Word = Type.String({ minLength: 1, maxLength: 255 });

const AttachBody = named(
  'AttachRequest',
  Closed({
    project_id: ProjectId,
    customer_id: CustomerId,
    reason: ReasonText,
    actor: Type.Optional(Actor),
    link_stripe_customer: Type.Optional(
      Type.Boolean({
        default: false,
        description:
          'Links its Stripe customer too, so that the next objects of it need nobody. Refused where that would show one project the other’s.',
      }),
    ),
    move: Type.Optional(
      Type.Boolean({ default: false, description: 'Takes what was attached before to this customer: a correction.' }),
    ),
  }),
);

const DismissBody = named('DismissRequest', Closed({ reason: ReasonText, actor: Type.Optional(Actor) }));

/** Objects that nobody could be found for, for operators. */
export function registerParkedRoutes(app: App, deps: ParkedDeps): void {
  const { db } = deps;
  const viewOf = async (row: ParkedRow) => parkedView(row, await namedCustomers(db, [row]));

  app.get(
    '/api/v1/admin/parked',
    {
      config: admin,
      schema: {
        tags,
        summary: 'List parked objects',
        description: 'What nobody could be found for, last parked first. Without a status: those that are open.',
        querystring: Closed({
          ...ListQuery,
          status: Type.Optional(OneOf(PARKED_STATUSES, { default: 'open', description: 'Default `open`.' })),
          reason: Type.Optional(Word),
          object_type: Type.Optional(OneOf(PARKED_TYPES)),
          object_id: Type.Optional(Word),
          project_id: Type.Optional(ProjectId),
        }),
        response: { 200: ListOf(ParkedView) },
      },
    },
    async ({ query }) => {
      const { status = 'open', reason, object_type: objectType, object_id: objectId, project_id: projectId } = query;
      const { limit, cursor } = query;
      const found = await listParked(db, { status, reason, objectType, objectId, projectId, limit, cursor });
      const customers = await namedCustomers(db, found.data);
      return { ...found, data: found.data.map((row) => parkedView(row, customers)) };
    },
  );

  app.get(
    '/api/v1/admin/parked/:id',
    { config: admin, schema: { tags, summary: 'Get a parked object', params: Params, response: { 200: ParkedView } } },
    async ({ params }) => await viewOf(await getParked(db, params.id)),
  );

  app.post(
    '/api/v1/admin/parked/:id/attach',
    {
      config: admin,
      schema: {
        tags,
        summary: 'Attach a parked object to a customer',
        description:
          'The operator’s word beats whatever else is known, now and later. The object is fetched and applied at once: the answer shows what the customer is entitled to afterwards. Asked again for the same customer, it answers so again, and decides nothing twice.',
        params: Params,
        body: AttachBody,
        response: { 200: AttachmentView },
      },
    },
    async (request) => {
      const { body } = request;
      const { project_id: projectId, customer_id: externalId, reason } = body;
      const { link_stripe_customer: linkStripeCustomer = false, move = false } = body;
      const input = { parkedId: request.params.id, projectId, externalId, reason, linkStripeCustomer, move };
      const { parked, sync } = await attachParked(deps, input, auditContextOf(request, body.actor));
      const snapshot = await db
        .selectFrom('tollgate.snapshots')
        .select(['version', 'body'])
        .where('project_id', '=', projectId)
        .where('external_id', '=', externalId)
        .executeTakeFirst();
      const evaluation = evaluate(snapshot?.body ?? NOTHING, deps.clock.now());
      return {
        object: 'attachment' as const,
        parked: await viewOf(parked),
        sync,
        entitlements: entitlementsView(projectId, externalId, snapshot?.version ?? 0, evaluation) as Static<
          typeof EntitlementsView
        >,
      };
    },
  );

  app.post(
    '/api/v1/admin/parked/:id/dismiss',
    {
      config: admin,
      schema: {
        tags,
        summary: 'Dismiss a parked object',
        description:
          'It is not ours: it gives nothing, is no drift, and events about it are ignored. It opens again when the evidence of whose it is changes. Asked again for the same reason, it answers so again.',
        params: Params,
        body: DismissBody,
        response: { 200: ParkedView },
      },
    },
    async (request) => {
      const { reason, actor } = request.body;
      const input = { parkedId: request.params.id, reason };
      return await viewOf(await dismissParked(deps, input, auditContextOf(request, actor)));
    },
  );
}

const NOTHING: SnapshotBody = { features: {} };
