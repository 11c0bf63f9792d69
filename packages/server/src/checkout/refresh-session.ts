import { syncObject } from '../mirror/sync-object.ts';
import { askStripe, isMissing, refusalOf } from '../stripe/refusal.ts';
import type { Stripe } from '../stripe/types.ts';
import type { CheckoutDeps } from './deps.ts';
import { type SessionRow, saveSessionState } from './save-session.ts';

/**
 * Asks Stripe how a session stands, and applies what it led to through the mirror, as its webhook does.
 * @throws TollgateError `stripe_unavailable`, `stripe_refused`
 */
export async function refreshSession(deps: CheckoutDeps, row: SessionRow): Promise<SessionRow> {
  const session = await retrieve(deps, row);
  const now = deps.clock.now();
  if (session === null) {
    // Gone from Stripe: nobody can pay it any more.
    const gone = { status: 'expired', paymentStatus: row.payment_status, url: null, applied: false };
    return await saveSessionState(deps.db, row.id, gone, now);
  }
  const status = session.status ?? 'open';
  const applied = status === 'complete' && (await apply(deps, row));
  const state = { status, paymentStatus: session.payment_status, url: session.url, applied };
  return await saveSessionState(deps.db, row.id, state, now);
}

async function retrieve(deps: CheckoutDeps, row: SessionRow): Promise<Stripe.Checkout.Session | null> {
  const { client } = deps.connections.get(row.connection_id);
  try {
    return await client.checkout.sessions.retrieve(row.id);
  } catch (error) {
    if (isMissing(error)) return null;
    throw refusalOf(error);
  }
}

/** @returns whether checks answer by now with what the session led to */
async function apply(deps: CheckoutDeps, { id, connection_id: connectionId }: SessionRow): Promise<boolean> {
  const ref = { type: 'checkout_session', id } as const;
  const cause = { type: 'checkout', id } as const;
  const { status, reason } = await askStripe(() => syncObject(deps, { connectionId, ref, cause }));
  switch (status) {
    case 'applied':
    case 'unchanged':
    case 'stale':
      return true;
    case 'ignored':
    case 'parked':
      deps.log.warn({ session: id, status, reason }, 'A checkout session of ours was not applied');
      return false;
    default:
      return status satisfies never;
  }
}
