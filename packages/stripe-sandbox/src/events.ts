import { bare } from './expand.ts';
import { API_VERSION, type StripeEvent } from './model.ts';
import type { World } from './world.ts';

/** Stripe keeps events for 30 days. Here time may fly, so they are kept by number. */
const KEPT_EVENTS = 20_000;

type Json = Record<string, unknown>;

function isGroup(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * What changed between two states of an object, as the values *before*: the shape of `previous_attributes`. A key that
 * is new reads null. Undefined when nothing changed.
 */
export function previousAttributes(before: Json, after: Json): Json | undefined {
  const previous: Json = {};
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, fresh] = [before[key], after[key]];
    if (isGroup(old) && isGroup(fresh)) {
      const nested = previousAttributes(old, fresh);
      if (nested !== undefined) previous[key] = nested;
    } else if (JSON.stringify(old) !== JSON.stringify(fresh)) {
      previous[key] = old ?? null;
    }
  }
  return Object.keys(previous).length === 0 ? undefined : previous;
}

/** Records an event about an object as it is now, and sends it to the webhook endpoints. */
export function emit(world: World, type: string, object: object, previous?: Json): StripeEvent {
  const event: StripeEvent = {
    id: world.ids.make('evt_'),
    object: 'event',
    api_version: API_VERSION,
    created: world.clock.now(),
    data: previous === undefined ? { object: bare(object) } : { object: bare(object), previous_attributes: previous },
    livemode: false,
    pending_webhooks: world.webhooks.wanting(type).length,
    request: { id: world.request?.id ?? null, idempotency_key: world.request?.idempotencyKey ?? null },
    type,
  };
  world.store.insert('event', event);
  if (world.store.count('event') > KEPT_EVENTS) world.store.forgetOldest('event');
  world.webhooks.send(event);
  world.onEvent(type, object);
  return event;
}

/**
 * Changes an object and records the event that says so, with what it was before.
 *
 * @returns whether anything changed; when nothing did, there is no event
 */
export function change<T extends object>(world: World, object: T, type: string, apply: (object: T) => void): boolean {
  const before = bare(object);
  apply(object);
  const previous = previousAttributes(before, bare(object));
  if (previous === undefined) return false;
  emit(world, type, object, previous);
  return true;
}
