/**
 * Sessions of one customer are made one at a time. Making one asks Stripe several things, so that neither a transaction
 * nor a database connection may be held meanwhile: a turn is a row that ends by itself and is prolonged while its holder
 * lives. Times are the database's own, since the clocks of several nodes differ.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Database, Queryable, Tx } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';

export interface Turn {
  customerId: string;
  holder: string;
}

export interface TurnOptions {
  /** How long a turn lasts without a sign of life. Default 30 s. */
  lastsMs?: number;
  /** How long to wait for others. Default 25 s. */
  waitMs?: number;
}

const LASTS_MS = 30_000;
const WAIT_MS = 25_000;
const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 200;

/**
 * Does the work when it is its turn. Before the work's result is kept it has to make sure, in the same transaction, that
 * the turn is still its own (`stillHolds`).
 * @param customerId - Tollgate's own `cust_…`
 * @throws TollgateError `checkout_busy` when the others take too long, and whatever the work throws
 */
export async function inTurn<T>(
  db: Database,
  customerId: string,
  work: (turn: Turn) => Promise<T>,
  { lastsMs = LASTS_MS, waitMs = WAIT_MS }: TurnOptions = {},
): Promise<T> {
  const turn = { customerId, holder: randomUUID() };
  await wait(db, turn, lastsMs, waitMs);
  const heartbeat = setInterval(() => void prolong(db, turn, lastsMs), lastsMs / 3).unref();
  try {
    return await work(turn);
  } finally {
    clearInterval(heartbeat);
    await leave(db, turn);
  }
}

/** Whether the turn has not passed to another; locks it until the transaction ends, so that it cannot pass meanwhile. */
export async function stillHolds(tx: Tx, { customerId, holder }: Turn): Promise<boolean> {
  const row = await tx
    .selectFrom('tollgate.checkout_turns')
    .select('holder')
    .where('customer_id', '=', customerId)
    .forUpdate()
    .executeTakeFirst();
  return row?.holder === holder;
}

export function checkoutBusy(): TollgateError {
  const detail = 'Other checkout sessions of this customer are being made. Try again shortly.';
  return new TollgateError('checkout_busy', detail, [], { retry_after: 1 });
}

async function wait(db: Database, turn: Turn, lastsMs: number, waitMs: number): Promise<void> {
  const startedAt = performance.now();
  let pauseMs = FIRST_PAUSE_MS;
  while (!(await take(db, turn, lastsMs))) {
    if (performance.now() - startedAt > waitMs) throw checkoutBusy();
    // Spread out, so that those who wait do not all ask at once.
    await sleep(pauseMs * (0.5 + Math.random()));
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

async function take(db: Queryable, { customerId, holder }: Turn, lastsMs: number): Promise<boolean> {
  const mine = { holder, ends_at: endsIn(lastsMs) };
  const taken = await db
    .insertInto('tollgate.checkout_turns')
    .values({ customer_id: customerId, ...mine })
    .onConflict((conflict) =>
      conflict
        .column('customer_id')
        .doUpdateSet(mine)
        .where('tollgate.checkout_turns.ends_at', '<=', sql<Date>`clock_timestamp()`),
    )
    .returning('holder')
    .executeTakeFirst();
  return taken !== undefined;
}

/** A database that cannot be reached is for the work itself to notice; the turn then ends by itself. */
async function prolong(db: Queryable, { customerId, holder }: Turn, lastsMs: number): Promise<void> {
  await db
    .updateTable('tollgate.checkout_turns')
    .set({ ends_at: endsIn(lastsMs) })
    .where('customer_id', '=', customerId)
    .where('holder', '=', holder)
    .execute()
    .catch(() => {});
}

async function leave(db: Queryable, { customerId, holder }: Turn): Promise<void> {
  await db
    .deleteFrom('tollgate.checkout_turns')
    .where('customer_id', '=', customerId)
    .where('holder', '=', holder)
    .execute()
    // Ends by itself; the work's own result or error is what counts.
    .catch(() => {});
}

function endsIn(ms: number) {
  return sql<Date>`clock_timestamp() + make_interval(secs => ${ms / 1000})`;
}
