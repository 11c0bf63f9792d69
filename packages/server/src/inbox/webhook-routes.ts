import { Type } from 'typebox';
import { systemClock } from '../platform/clock.ts';
import type { App } from '../platform/http/app.ts';
import { Closed, named } from '../platform/http/schemas.ts';
import { verifyEvent } from '../stripe/signature.ts';
import type { ReceiveDeps } from './deps.ts';
import { receiveEvent } from './receive-event.ts';

/** Stripe's largest events are a quarter of this. */
const MOST_BYTES = 1024 * 1024;
const DEFAULT_CONNECTION = 'default';

const Receipt = named('WebhookReceipt', Closed({ received: Type.Literal(true) }));
const responses = {
  response: { 200: Receipt },
  tags: ['Webhooks'],
  description:
    'Called by Stripe. Answers 200 once the event is durable, for duplicates and types that are not handled too; 400 ' +
    'for a signature that is not valid; 5xx only when the event could not be stored, so that Stripe sends it again.',
};
const route = {
  config: { access: { public: true }, rateLimit: false, rawBody: true, idempotent: false },
  bodyLimit: MOST_BYTES,
} as const;

/** Where Stripe delivers its events. */
export function registerWebhookRoutes(app: App, deps: ReceiveDeps): void {
  const receive = async (connectionId: string, body: unknown, signature: string | string[] | undefined) => {
    const connection = await (deps.findConnection ?? deps.connections.get)(connectionId);
    const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
    const header = Array.isArray(signature) ? signature.join(',') : signature;
    const event = verifyEvent(connection, bytes, header, (deps.signatureClock ?? systemClock).now());
    const fresh = await receiveEvent(deps, connection, event);
    deps.log.debug({ event: event.id, type: event.type, connection: connectionId, fresh }, 'Received an event');
    return { received: true as const };
  };

  // A scope of its own: here a body of any content type stays the bytes that were signed.
  app.register(async (scope: App) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, bytes, done) => done(null, bytes));

    scope.post(
      '/api/v1/webhooks/stripe',
      { ...route, schema: { summary: "Receive an event of the default connection's account", ...responses } },
      (request) => receive(DEFAULT_CONNECTION, request.body, request.headers['stripe-signature']),
    );
    scope.post(
      '/api/v1/webhooks/stripe/:connection',
      {
        ...route,
        schema: {
          summary: "Receive an event of a connection's account",
          params: Closed({ connection: Type.String({ minLength: 1, maxLength: 64 }) }),
          ...responses,
        },
      },
      (request) => receive(request.params.connection, request.body, request.headers['stripe-signature']),
    );
  });
}
