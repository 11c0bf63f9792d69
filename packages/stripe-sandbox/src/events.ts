import { bare } from './expand.ts';
import { API_VERSION, type Kind, type StripeEvent } from './model.ts';
import type { World } from './world.ts';

/** Stripe keeps events for 30 days. Here time may fly, so they are kept by number; so many at least. */
const KEPT_EVENTS = 20_000;
/** How many more there may be before they are forgotten, all at once. */
const FORGOTTEN_EVENTS = 2_000;

type Json = Record<string, unknown>;

function isGroup(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether two values look the same in JSON. */
function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((entry, index) => isSame(entry, other[index]));
  }
  return isGroup(one) && isGroup(other) && previousAttributes(one, other) === undefined;
}

/**
 * What changed between two states of an object, as the values *before*: the shape of `previous_attributes`. A key that
 * is new reads null. Undefined when nothing changed.
 */
function previousAttributes(before: Json, after: Json): Json | undefined {
  const previous: Json = {};
  let differs = false;
  const compare = (key: string): void => {
    const [old, fresh] = [before[key], after[key]];
    if (old === fresh) return;
    const nested = isGroup(old) && isGroup(fresh);
    const was = nested ? previousAttributes(old, fresh) : isSame(old, fresh) ? undefined : (old ?? null);
    if (was === undefined) return;
    previous[key] = was;
    differs = true;
  };
  for (const key in before) compare(key);
  for (const key in after) if (!(key in before)) compare(key);
  return differs ? previous : undefined;
}

/** Records an event about an object as it is now, and sends it to the webhook endpoints. */
export function emit(world: World, type: string, object: object, previous?: Json): StripeEvent {
  return record(world, type, object, { object: bare(object), ...(previous && { previous_attributes: previous }) });
}

function record(world: World, type: string, object: object, data: StripeEvent['data']): StripeEvent {
  const event: StripeEvent = {
    id: world.ids.make('evt_'),
    object: 'event',
    api_version: API_VERSION,
    created: world.clock.now(),
    data,
    livemode: false,
    pending_webhooks: world.webhooks.wanting(type).length,
    request: { id: world.request?.id ?? null, idempotency_key: world.request?.idempotencyKey ?? null },
    type,
  };
  world.store.touch(object as { object: Kind; id: string });
  world.store.insert('event', event);
  if (world.store.count('event') >= KEPT_EVENTS + FORGOTTEN_EVENTS) world.store.forgetOldest('event', FORGOTTEN_EVENTS);
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
  const after = bare(object);
  const previous = previousAttributes(before, after);
  if (previous === undefined) return false;
  record(world, type, object, { object: after, previous_attributes: previous });
  return true;
}
