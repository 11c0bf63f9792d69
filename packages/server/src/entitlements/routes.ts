import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import type { App } from '../platform/http/app.ts';
import { prepare, sendPrepared } from '../platform/http/prepared.ts';
import { projectOf } from '../platform/http/principal.ts';
import { AskedFeature, Closed, CustomerId, named, WithProject } from '../platform/http/schemas.ts';
import { API_HEADERS } from '../platform/http/security-headers.ts';
import type { Answer } from './answers.ts';
import { registerExplainRoute } from './explain-route.ts';
import { registerHistoryRoute } from './history-route.ts';
import type { EntitlementReader } from './reader.ts';
import { DecisionListView, DecisionView, EntitlementsView } from './views.ts';

export interface EntitlementRoutesDeps {
  db: Database;
  clock: Clock;
  reader: EntitlementReader;
}

/** Checks change nothing, are not limited, and must not wait for what they do not need. */
const check = { access: { scope: 'entitlements:read' }, idempotent: false, rateLimit: false, prepared: true } as const;
/** Kept by whoever asks, and asked about each time. */
const CACHED = 'private, no-cache';
const MAX_CHECKS = 100;

const CheckListBody = named(
  'CheckListRequest',
  WithProject({
    checks: Type.Array(Closed({ customer_id: CustomerId, feature: AskedFeature }), {
      minItems: 1,
      maxItems: MAX_CHECKS,
    }),
  }),
);

/** What customers may do, over HTTP. */
export function registerEntitlementRoutes(app: App, deps: EntitlementRoutesDeps): void {
  registerChecks(app, deps);
  registerEntitlements(app, deps);
  registerExplainRoute(app, deps);
  registerHistoryRoute(app, deps);
}

function registerChecks(app: App, { reader }: EntitlementRoutesDeps): void {
  app.get(
    '/api/v1/check',
    {
      config: check,
      schema: {
        tags: ['Entitlements'],
        summary: 'Check one feature',
        description:
          'Whether the customer may use the feature now, and why. A feature that the project does not have is no error: it is not entitled, with the reason `unknown_feature`.',
        querystring: WithProject({ customer_id: CustomerId, feature: AskedFeature }),
        response: { 200: DecisionView },
      },
    },
    (request, reply) => {
      const { customer_id, feature } = request.query;
      answerWith(reply, reader.decide(projectOf(request), customer_id, feature), sendPrepared);
    },
  );

  app.post(
    '/api/v1/check',
    {
      config: check,
      schema: {
        tags: ['Entitlements'],
        summary: 'Check many features',
        description: `Up to ${MAX_CHECKS} decisions, in the order of the questions.`,
        body: CheckListBody,
        response: { 200: DecisionListView },
      },
    },
    (request, reply) => {
      const projectId = projectOf(request);
      const answers = request.body.checks.map(({ customer_id, feature }) =>
        reader.decide(projectId, customer_id, feature),
      );
      answerWith(reply, settled(answers), (to, decisions: readonly Answer[]) =>
        sendPrepared(to, prepare(`{"object":"list","data":[${decisions.map(({ text }) => text).join(',')}]}`)),
      );
    },
  );
}

function registerEntitlements(app: App, { reader }: EntitlementRoutesDeps): void {
  app.get(
    '/api/v1/entitlements',
    {
      config: check,
      schema: {
        tags: ['Entitlements'],
        summary: "Get a customer's entitlements",
        description:
          'The features that the customer is entitled to now. The `ETag` changes with them: send it back in `If-None-Match` for a 304 while nothing has changed. A customer never seen has none, at version 0.',
        querystring: WithProject({ customer_id: CustomerId }),
        response: { 200: EntitlementsView, 304: Type.Null({ description: 'Nothing has changed.' }) },
      },
    },
    (request, reply) => {
      const known = request.headers['if-none-match'];
      answerWith(reply, reader.entitlements(projectOf(request), request.query.customer_id), (to, answer) => {
        const { etag } = answer;
        if (known !== undefined && matches(known, etag))
          to.code(304)
            .headers({ ...API_HEADERS, etag, 'cache-control': CACHED })
            .send();
        else sendPrepared(to, answer, ['etag', etag, 'cache-control', CACHED]);
      });
    },
  );
}

/** Sends what there is at once, and what has to be read first when it comes. */
function answerWith<T>(
  reply: FastifyReply,
  found: T | Promise<T>,
  send: (reply: FastifyReply, found: T) => void,
): void {
  if (!(found instanceof Promise)) {
    send(reply, found);
    return;
  }
  found.then((answer) => send(reply, answer)).catch((error: unknown) => reply.send(error));
}

function settled<T>(all: readonly (T | Promise<T>)[]): readonly T[] | Promise<readonly T[]> {
  const ready = all.filter((one): one is T => !(one instanceof Promise));
  return ready.length === all.length ? ready : Promise.all(all);
}

/** `If-None-Match`, by the weak comparison: a list of tags, or `*`. */
function matches(header: string, etag: string): boolean {
  return (
    header === etag ||
    header.split(',').some((part) => {
      const tag = part.trim();
      return tag === '*' || tag === etag || tag === `W/${etag}`;
    })
  );
}
