/** Events as operators see them. */
import type { Selectable } from 'kysely';
import { Type } from 'typebox';
import { Closed, Nullable, named, OneOf, Timestamp } from '../platform/http/schemas.ts';
import type { Schema } from '../schema.ts';
import { EVENT_STATUSES } from './statuses.ts';

export type EventRow = Selectable<Schema['tollgate.events']>;

const eventFields = {
  object: Type.Literal('event'),
  id: Type.String({ description: "Stripe's id." }),
  type: Type.String(),
  status: OneOf(EVENT_STATUSES, { description: '`failed` will be tried again, `dead` will not.' }),
  reason: Nullable(Type.String({ description: 'Why it is ignored, parked, failed or dead.' })),
  attempts: Type.Integer({ description: 'Since it came, was parked, or was replayed.' }),
  connection: Type.String({ description: 'The Stripe connection that it came over.' }),
  livemode: Type.Boolean(),
  api_version: Nullable(Type.String()),
  object_type: Nullable(Type.String({ description: 'What it speaks of: `subscription`, `payment`…' })),
  object_id: Nullable(Type.String({ description: "Stripe's id of that; a payment's is its payment intent's." })),
  created_at: Timestamp,
  received_at: Timestamp,
  processed_at: Nullable(Timestamp),
  last_attempt_at: Nullable(Timestamp),
  next_attempt_at: Nullable(Timestamp),
  source: OneOf(['webhook', 'listed'], {
    description: "`listed`: it never came as a webhook, and was found in Stripe's own list of events.",
  }),
};

export const EventView = named('Event', Closed(eventFields));

export const EventWithPayload = named(
  'EventWithPayload',
  Closed({
    ...eventFields,
    payload: Type.Record(Type.String(), Type.Unknown(), {
      description: 'As Stripe sent it, client secrets removed. Only ids are taken from it: the state is fetched.',
    }),
  }),
);

export function eventView(row: Omit<EventRow, 'payload' | 'related_ids'>) {
  return {
    object: 'event' as const,
    id: row.id,
    type: row.type,
    status: row.status,
    reason: row.reason,
    attempts: row.attempts,
    connection: row.connection_id,
    livemode: row.livemode,
    api_version: row.api_version,
    object_type: row.object_type,
    object_id: row.object_id,
    created_at: row.created_at.toISOString(),
    received_at: row.received_at.toISOString(),
    processed_at: row.processed_at?.toISOString() ?? null,
    last_attempt_at: row.last_attempt_at?.toISOString() ?? null,
    next_attempt_at: row.next_attempt_at?.toISOString() ?? null,
    source: row.source,
  };
}
