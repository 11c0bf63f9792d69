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

/** What Stripe says of a session now. */
export interface SessionState {
  status: string;
  paymentStatus: string;
  url: string | null;
  applied: boolean;
}

const PAID = ['paid', 'no_payment_required'];

/**
 * Keeps what Stripe says of a session. Of two that asked at once the slower one may come with the older answer: a
 * session that is complete or expired stays so, one that is paid stays paid, one that is applied stays applied.
 * @param now - epoch milliseconds
 */
export async function saveSessionState(
  db: Database,
  id: string,
  state: SessionState,
  now: number,
): Promise<SessionRow> {
  return await db
    .updateTable('tollgate.checkout_sessions')
    .set((set) => ({
      status: set.case().when('status', '=', 'open').then(state.status).else(set.ref('status')).end(),
      url: set.case().when('status', '=', 'open').then(state.url).else(set.ref('url')).end(),
      payment_status: set
        .case()
        .when('payment_status', 'in', PAID)
        .then(set.ref('payment_status'))
        .else(state.paymentStatus)
        .end(),
      applied: state.applied ? true : set.ref('applied'),
      updated_at: new Date(now),
    }))
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
}
