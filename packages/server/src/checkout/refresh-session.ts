import { syncObject } from '../mirror/sync-object.ts';
import { askStripe } from '../stripe/refusal.ts';
import type { CheckoutDeps } from './deps.ts';
import { markExpired, type SessionRow } from './save-session.ts';

/**
 * Asks Stripe how a session stands and applies what was bought in it, through the mirror as its webhook does.
 * @throws TollgateError `stripe_unavailable`, `stripe_refused`
 */
export async function refreshSession(deps: CheckoutDeps, { id, connection_id }: SessionRow): Promise<SessionRow> {
  const request = {
    connectionId: connection_id,
    ref: { type: 'checkout_session' as const, id },
    cause: { type: 'checkout' as const, id },
  };
  const { status, reason } = await askStripe(() => syncObject(deps, request));
  // Gone from Stripe: nobody can pay it any more.
  if (reason === 'missing_in_stripe') await markExpired(deps.db, { connection_id, id }, deps.clock.now());
  const row = await deps.db
    .selectFrom('tollgate.checkout_sessions')
    .selectAll()
    .where('connection_id', '=', connection_id)
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  if (row.status === 'complete' && row.payment_status !== 'unpaid' && !row.applied) {
    deps.log.error({ session: id, status, reason }, 'A checkout session of ours is paid and could not be applied');
  }
  return row;
}
