import type { Stripe } from '../stripe/types.ts';
import type { Look } from './kind.ts';
import { unreadable } from './unreadable.ts';

const PAGE = 100;
/** 20,000 events: enough for 30 days of most accounts, and some 10 s of calls. */
const MOST_PAGES = 200;

export interface UndeliveredSearch {
  /** When Stripe made the first event about the object, from then on, that never came here; null: there is none. */
  about(objectId: string, from: Date): Date | null;
  /** False when there were too many events to look through. */
  complete: boolean;
}

/** Looks through Stripe's events of the last 30 days for those that the inbox lacks: once a run, and only if needed. */
export class UndeliveredEvents {
  readonly #eventTypes: ReadonlySet<string>;
  readonly #searches = new Map<string, Promise<UndeliveredSearch>>();

  /** @param eventTypes - what the endpoint in Stripe takes: no other event was ever to come */
  constructor(eventTypes: readonly string[]) {
    this.#eventTypes = new Set(eventTypes);
  }

  search(look: Look): Promise<UndeliveredSearch> {
    const known = this.#searches.get(look.connection.id);
    if (known !== undefined) return known;
    const started = search(look, this.#eventTypes).catch((error: unknown) => {
      // A restricted key may not read events: then nothing can be said about causes, and the rest goes on.
      unreadable(error);
      return { about: () => null, complete: false };
    });
    this.#searches.set(look.connection.id, started);
    // One that failed is tried again by whoever asks next.
    started.catch(() => this.#searches.delete(look.connection.id));
    return started;
  }
}

/** Keeps nothing but the ids that undelivered events name, and when they were made. */
async function search(look: Look, eventTypes: ReadonlySet<string>): Promise<UndeliveredSearch> {
  const { client, id: connectionId } = look.connection;
  const named = new Map<string, number[]>();
  const about = (objectId: string, from: Date) => {
    const made = (named.get(objectId) ?? []).filter((seconds) => seconds * 1000 >= from.getTime());
    return made.length === 0 ? null : new Date(Math.min(...made) * 1000);
  };
  let startingAfter: string | undefined;
  for (let pages = 0; pages < MOST_PAGES; pages++) {
    const page = await look.ask('event', () =>
      client.events.list({ limit: PAGE, ...(startingAfter === undefined ? {} : { starting_after: startingAfter }) }),
    );
    const expected = page.data.filter(({ type }) => eventTypes.has(type));
    const missing = await missingFrom(look, connectionId, expected);
    for (const event of missing) {
      for (const id of idsIn(event.data.object)) named.set(id, [...(named.get(id) ?? []), event.created]);
    }
    startingAfter = page.data.at(-1)?.id;
    if (!page.has_more || startingAfter === undefined) return { about, complete: true };
  }
  return { about, complete: false };
}

async function missingFrom({ db }: Look, connectionId: string, events: readonly Stripe.Event[]) {
  if (events.length === 0) return [];
  const rows = await db
    .selectFrom('tollgate.events')
    .select('id')
    .where('connection_id', '=', connectionId)
    .where('source', '=', 'webhook')
    .where(
      'id',
      'in',
      events.map(({ id }) => id),
    )
    .execute();
  const delivered = new Set(rows.map(({ id }) => id));
  return events.filter(({ id }) => !delivered.has(id));
}

const MEMBERS = [
  'id',
  'subscription',
  'payment_intent',
  'invoice',
  'charge',
  'product',
  'subscription_details',
  'parent',
];

/** The ids of the object itself and of what it belongs to; its customer is left out, who has many things. */
function idsIn(object: object, into = new Set<string>()): Set<string> {
  for (const [name, value] of Object.entries(object)) {
    if (!MEMBERS.includes(name)) continue;
    if (typeof value === 'string') into.add(value);
    else if (typeof value === 'object' && value !== null) idsIn(value, into);
  }
  return into;
}
