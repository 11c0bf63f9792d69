/** Endpoints and deliveries as the API shows them. */
import { type Static, Type } from 'typebox';
import { Closed, Nullable, named, OneOf, Timestamp } from '../platform/http/schemas.ts';
import type { DeliveryRow } from './deliveries.ts';
import type { EndpointRow } from './secrets.ts';

const endpointFields = {
  object: Type.Literal('webhook_endpoint'),
  id: Type.String(),
  project_id: Type.String(),
  url: Type.String(),
  description: Nullable(Type.String()),
  status: OneOf(['enabled', 'disabled']),
  disabled_reason: Nullable(
    OneOf(['requested', 'gone', 'failing'], {
      description: '`gone`: it answered 410. `failing`: nothing arrived there for five days.',
    }),
  ),
  failing_since: Nullable(Timestamp),
  last_delivered_at: Nullable(Timestamp),
  last_error: Nullable(Type.String({ description: 'Why the last delivery failed that did.' })),
  created_at: Timestamp,
  updated_at: Timestamp,
};

export const EndpointView = named('WebhookEndpoint', Closed(endpointFields));

export const EndpointWithSecretView = named(
  'WebhookEndpointWithSecret',
  Closed({
    ...endpointFields,
    signing_secret: Nullable(
      Type.String({ description: '`whsec_…`, for any Standard Webhooks library. Shown this once; null in a replay.' }),
    ),
  }),
);

export const DeletedEndpointView = named(
  'DeletedWebhookEndpoint',
  Closed({ object: Type.Literal('webhook_endpoint'), id: Type.String(), deleted: Type.Literal(true) }),
);

export const ReplayView = named(
  'Replay',
  Closed({
    object: Type.Literal('replay'),
    queued: Type.Integer({ description: 'How many notices are on their way.' }),
  }),
);

export const DeliveryView = named(
  'NoticeDelivery',
  Closed({
    object: Type.Literal('delivery'),
    notice_id: Type.String({ description: 'Sent as `webhook-id`.' }),
    customer_id: Type.String(),
    sequence: Type.Integer({ description: "The notice's place in the customer's order." }),
    version: Type.Integer({ description: "The version of the customer's snapshot that it tells of." }),
    changed_at: Timestamp,
    cause: Closed({ type: Type.String(), id: Type.String() }),
    status: OneOf(['pending', 'delivered']),
    attempts: Type.Integer(),
    last_attempt_at: Nullable(Timestamp),
    next_attempt_at: Nullable(Timestamp),
    response_status: Nullable(Type.Integer({ description: "Of the last attempt: the answer's status." })),
    error: Nullable(Type.String({ description: 'Of the last attempt: why there was no answer.' })),
  }),
);

export function endpointView(row: EndpointRow): Static<typeof EndpointView> {
  return {
    object: 'webhook_endpoint',
    id: row.id,
    project_id: row.project_id,
    url: row.url,
    description: row.description,
    status: row.status,
    disabled_reason: row.disabled_reason,
    failing_since: row.failing_since?.toISOString() ?? null,
    last_delivered_at: row.last_delivered_at?.toISOString() ?? null,
    last_error: row.last_error,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}

export function deliveryView(row: DeliveryRow): Static<typeof DeliveryView> {
  return {
    object: 'delivery',
    notice_id: row.notice_id,
    customer_id: row.external_id,
    sequence: row.sequence,
    version: row.version,
    changed_at: row.changed_at.toISOString(),
    cause: row.cause,
    status: row.status,
    attempts: row.attempts,
    last_attempt_at: row.last_attempt_at?.toISOString() ?? null,
    next_attempt_at: row.status === 'pending' ? row.next_attempt_at.toISOString() : null,
    response_status: row.response_status,
    error: row.error,
  };
}
