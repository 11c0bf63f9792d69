import { Type } from 'typebox';
import { auditContextOf } from '../audit/context.ts';
import type { App } from '../platform/http/app.ts';
import { Actor, Closed, ListOf, ListQuery, named, OneOf, ReasonText } from '../platform/http/schemas.ts';
import type { InboxDeps } from './deps.ts';
import { findEvent } from './find-event.ts';
import { listEvents } from './list-events.ts';
import { replayEvent } from './replay-event.ts';
import { EVENT_STATUSES } from './statuses.ts';
import { EventView, EventWithPayload, eventView } from './views.ts';

const admin = { access: { admin: true } } as const;
const Word = Type.String({ minLength: 1, maxLength: 255 });
const EventParams = Closed({ id: Word });
const Connection = Type.String({
  minLength: 1,
  maxLength: 64,
  description: 'Needed only where several connections have received the event.',
});

const ReplayBody = named(
  'ReplayRequest',
  Closed({
    connection: Type.Optional(Connection),
    reason: Type.Optional(ReasonText),
    actor: Type.Optional(Actor),
  }),
);

/** The inbox for operators: what came, what became of it, and once more please. */
export function registerEventRoutes(app: App, deps: InboxDeps): void {
  app.get(
    '/api/v1/admin/events',
    {
      config: admin,
      schema: {
        tags: ['Events'],
        summary: 'List the inbox',
        description: "Stripe's events, last received first, without their payload.",
        querystring: Closed({
          ...ListQuery,
          status: Type.Optional(OneOf(EVENT_STATUSES)),
          type: Type.Optional(Word),
          object_id: Type.Optional(Word),
          connection: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
        }),
        response: { 200: ListOf(EventView) },
      },
    },
    ({ query: { object_id, ...filter } }) => listEvents(deps.db, { ...filter, objectId: object_id }),
  );

  app.get(
    '/api/v1/admin/events/:id',
    {
      config: admin,
      schema: {
        tags: ['Events'],
        summary: 'Get an event',
        params: EventParams,
        querystring: Closed({ connection: Type.Optional(Connection) }),
        response: { 200: EventWithPayload },
      },
    },
    async ({ params, query }) => {
      const row = await findEvent(deps.db, { id: params.id, connection: query.connection });
      return { ...eventView(row), payload: row.payload };
    },
  );

  app.post(
    '/api/v1/admin/events/:id/replay',
    {
      config: admin,
      schema: {
        tags: ['Events'],
        summary: 'Replay an event',
        description:
          'Whatever became of it: it is judged anew, and its object is fetched from Stripe again. 202 with the event as ' +
          'it stands now; what follows is seen by getting it again.',
        params: EventParams,
        body: Type.Optional(ReplayBody),
        response: { 202: EventView },
      },
    },
    async (request, reply) => {
      const { connection, reason, actor } = request.body ?? {};
      const key = { id: request.params.id, connection, reason };
      return reply.code(202).send(eventView(await replayEvent(deps, key, auditContextOf(request, actor))));
    },
  );
}
