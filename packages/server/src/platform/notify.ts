import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import pg from 'pg';
import type { Connection, Queryable } from './database.ts';
import type { Log } from './log.ts';

export interface Subscription {
  /** False while the connection is being made again. */
  connected(): boolean;
  stop(): Promise<void>;
}

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;
/** A connection that a firewall dropped says nothing: asking is the only way to find out. */
const PROBE_MS = 15_000;

/**
 * Hears what is sent with `notify` on a channel, over one connection of its own. When the connection breaks it is made
 * again, for ever; `onReconnect` then says that messages may have been missed, so that caches can be emptied.
 * Resolves once the first connection listens; rejects when that one cannot be made.
 */
export async function listen(
  connection: Connection,
  channel: string,
  onMessage: (payload: string) => void,
  onReconnect: () => void,
  log?: Log,
): Promise<Subscription> {
  let stopped = false;
  let connected = false;
  let client: pg.Client | undefined;
  client = await open();

  async function open(): Promise<pg.Client> {
    const fresh = new pg.Client({
      ...connection,
      application_name: 'tollgate listen',
      keepAlive: true,
      connectionTimeoutMillis: 10_000,
      query_timeout: 10_000,
    });
    let gone = false;
    const onGone = (error?: Error) => {
      if (gone) {
        return;
      }
      gone = true;
      clearInterval(probe);
      if (fresh === client && !stopped) {
        connected = false;
        log?.warn({ err: error, channel }, 'The connection that hears changes broke; reconnecting');
        void reconnect();
      }
    };
    fresh.on('error', onGone);
    fresh.on('end', () => onGone());
    fresh.on('notification', (message) => {
      if (message.channel === channel) {
        onMessage(message.payload ?? '');
      }
    });
    const probe = setInterval(() => {
      fresh.query('select 1').catch((error: Error) => {
        onGone(error);
        fresh.end().catch(() => {});
      });
    }, PROBE_MS);
    probe.unref();
    try {
      await fresh.connect();
      await fresh.query(`listen ${pg.escapeIdentifier(channel)}`);
    } catch (error) {
      gone = true;
      clearInterval(probe);
      await fresh.end().catch(() => {});
      throw error;
    }
    connected = true;
    return fresh;
  }

  async function reconnect(): Promise<void> {
    for (let delay = FIRST_RETRY_MS; !stopped; delay = Math.min(delay * 2, LAST_RETRY_MS)) {
      await sleep(delay * (0.5 + Math.random()), undefined, { ref: false });
      try {
        const fresh = await open();
        if (stopped) {
          await fresh.end();
          return;
        }
        client = fresh;
        onReconnect();
        return;
      } catch (error) {
        log?.debug({ err: error, channel }, 'Could not reconnect yet');
      }
    }
  }

  return {
    connected: () => connected,
    stop: async () => {
      stopped = true;
      await client?.end().catch(() => {});
    },
  };
}

/**
 * Sends a message to everyone who listens on the channel, when the transaction commits. PostgreSQL drops equal
 * messages of one transaction and refuses payloads of 8,000 bytes or more.
 */
export async function notify(tx: Queryable, channel: string, payload: string): Promise<void> {
  await sql`select pg_notify(${channel}, ${payload})`.execute(tx);
}
