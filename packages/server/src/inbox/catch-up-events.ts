import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../platform/database.ts';
import type { CronEntry, Task } from '../platform/jobs.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { classifyStripeError } from '../stripe/errors.ts';
import type { Stripe } from '../stripe/types.ts';
import { parseEvent } from '../stripe/webhook-event.ts';
import type { InboxDeps } from './deps.ts';
import { EVENT_TYPES } from './event-types.ts';
import { receiveEvent } from './receive-event.ts';

/** Once a minute, by one process; a look that takes longer holds up the next one. */
export const CATCH_UP_SCHEDULE: CronEntry = { task: 'catch_up_events', schedule: '* * * * *', alone: true };

/** So long an event may be on its way before it counts as lost; Stripe tries again at once, and then less and less. */
const ON_ITS_WAY_MS = 5 * 60_000;
/** Looked through twice, since Stripe may list an event a moment after it was created. */
const OVERLAP_MS = 2 * 60_000;
/** Stripe keeps events for 30 days. */
const KEPT_MS = 30 * 24 * 60 * 60 * 1000;
const PAGE = 100;
/** Stripe takes 25 a second, and others want some of them. */
const PAUSE_MS = 200;

/**
 * The `catch_up_events` task: looks through Stripe's own list of events since the last look, and takes in those that
 * never came, as if they had. Lost webhooks cost minutes, and an outage of up to 30 days is caught up on. A look that
 * fails or is cut short is made again from where it began: what it took in is not found a second time. An account that
 * is away keeps no other waiting.
 * @throws the first error that may pass, when every connection has had its turn
 */
export function catchUpEventsTask(deps: InboxDeps): Task {
  return async (_payload, { signal }) => {
    const passing: unknown[] = [];
    for (const id of deps.connections.ids()) {
      signal.throwIfAborted();
      try {
        await catchUp(deps, deps.connections.get(id), signal);
      } catch (error) {
        signal.throwIfAborted();
        if (classifyStripeError(error).kind === 'transient') passing.push(error);
        deps.log.warn(
          { err: error, connection: id },
          "Stripe's list of events cannot be read; until it can be, lost webhooks go unnoticed",
        );
      }
    }
    if (passing.length > 0) throw passing[0];
  };
}

async function catchUp(deps: InboxDeps, connection: StripeConnection, signal: AbortSignal): Promise<void> {
  const now = deps.clock.now();
  const until = now - ON_ITS_WAY_MS;
  const last = await lookedUntil(deps.db, connection.id);
  // What happened before the first look came to nobody's attention by a webhook: it is for an import or a reconciliation.
  if (last !== null && last < until) {
    const from = Math.max(last - OVERLAP_MS, now - KEPT_MS);
    const found = await takeIn(deps, connection, { from, until }, signal);
    if (found > 0) {
      deps.log.warn(
        { connection: connection.id, events: found },
        'Events of Stripe never came as webhooks; they are taken in now',
      );
    }
  }
  if (last === null || last < until) await noteLookedUntil(deps.db, connection.id, until);
}

/** @returns how many events were lost */
async function takeIn(
  deps: InboxDeps,
  connection: StripeConnection,
  { from, until }: { from: number; until: number },
  signal: AbortSignal,
): Promise<number> {
  const created = { gte: Math.floor(from / 1000), lte: Math.floor(until / 1000) };
  let found = 0;
  let after: string | undefined;
  for (;;) {
    signal.throwIfAborted();
    const page = await connection.client.events.list({
      created,
      limit: PAGE,
      ...(after === undefined ? {} : { starting_after: after }),
    });
    for (const event of await lost(deps.db, connection, page.data)) {
      const parsed = parseEvent(Buffer.from(JSON.stringify(event)));
      if (parsed !== null && (await receiveEvent(deps, connection, parsed, 'listed'))) found += 1;
    }
    after = page.data.at(-1)?.id;
    if (!page.has_more || after === undefined) return found;
    await sleep(PAUSE_MS, undefined, { signal });
  }
}

/** Those that are acted upon and that the inbox lacks, oldest first. */
async function lost(
  db: Database,
  connection: StripeConnection,
  listed: readonly Stripe.Event[],
): Promise<Stripe.Event[]> {
  const relevant = listed.filter(({ type }) => Object.hasOwn(EVENT_TYPES, type)).reverse();
  if (relevant.length === 0) return [];
  const rows = await db
    .selectFrom('tollgate.events')
    .select('id')
    .where('connection_id', '=', connection.id)
    .where(
      'id',
      'in',
      relevant.map(({ id }) => id),
    )
    .execute();
  const known = new Set(rows.map(({ id }) => id));
  return relevant.filter(({ id }) => !known.has(id));
}

async function lookedUntil(db: Database, connectionId: string): Promise<number | null> {
  const row = await db
    .selectFrom('tollgate.events_listed')
    .select('until')
    .where('connection_id', '=', connectionId)
    .executeTakeFirst();
  return row?.until.getTime() ?? null;
}

async function noteLookedUntil(db: Database, connectionId: string, until: number): Promise<void> {
  const at = new Date(until);
  await db
    .insertInto('tollgate.events_listed')
    .values({ connection_id: connectionId, until: at })
    .onConflict((conflict) => conflict.column('connection_id').doUpdateSet({ until: at }))
    .execute();
}
