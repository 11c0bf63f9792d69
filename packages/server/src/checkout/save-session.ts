import type { Selectable } from 'kysely';
import type { Database, Tx } from '../platform/database.ts';
import type { Schema } from '../schema.ts';
import type { Stripe } from '../stripe/types.ts';
import type { Plan } from './plan.ts';

export type SessionRow = Selectable<Schema['tollgate.checkout_sessions']>;

/** Keeps a session that was just made. */
export async function insertSession(
  tx: Tx,
  input: {
    projectId: string;
    customerId: string;
    connectionId: string;
    plan: Plan;
    session: Stripe.Checkout.Session;
    /** Epoch milliseconds. */
    now: number;
  },
): Promise<SessionRow> {
  const { projectId, customerId, connectionId, plan, session } = input;
  const at = new Date(input.now);
  return await tx
    .insertInto('tollgate.checkout_sessions')
    .values({
      id: session.id,
      connection_id: connectionId,
      project_id: projectId,
      customer_id: customerId,
      mode: plan.mode,
      url: session.url,
      status: session.status ?? 'open',
      payment_status: session.payment_status,
      price_ids: plan.lines.map(({ price }) => price.id),
      expires_at: new Date(session.expires_at * 1000),
      created_at: at,
      updated_at: at,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

/**
 * Keeps that a session can be paid no more. How a session stands is otherwise the mirror's to say.
 * @param now - epoch milliseconds
 */
export async function markExpired(
  db: Database,
  { connection_id, id }: Pick<SessionRow, 'connection_id' | 'id'>,
  now: number,
): Promise<void> {
  await db
    .updateTable('tollgate.checkout_sessions')
    .set({ status: 'expired', updated_at: new Date(now) })
    .where('connection_id', '=', connection_id)
    .where('id', '=', id)
    .where('status', '=', 'open')
    .execute();
}
