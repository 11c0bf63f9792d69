import { ensureCustomer } from '../customers/ensure-customer.ts';
import type { CustomerRow } from '../customers/find.ts';
import { getProject } from '../projects/find-project.ts';
import { askStripe } from '../stripe/refusal.ts';
import type { Stripe } from '../stripe/types.ts';
import { closeSessions } from './close-sessions.ts';
import type { CheckoutDeps } from './deps.ts';
import { refuseBadMetadata } from './metadata.ts';
import { type Plan, planOf } from './plan.ts';
import { readyStripeCustomer } from './ready-customer.ts';
import { refuseBadRedirect } from './redirect.ts';
import { type RequestedLines, requestedLines } from './requested-lines.ts';
import { insertSession, type SessionRow } from './save-session.ts';
import { type SessionWishes, sessionParams } from './session-params.ts';
import { refuseSubscribed } from './subscribed.ts';
import { refuseUsedTrial } from './trial.ts';
import { checkoutBusy, inTurn, stillHolds, type Turn } from './turn.ts';

export interface CreateSessionInput extends SessionWishes, RequestedLines {
  projectId: string;
  /** The app's own id of the customer. */
  externalId: string;
  email?: string | undefined;
  allow_multiple?: boolean | undefined;
}

/**
 * Makes a page of Stripe's on which the customer can buy. Sessions of one customer are made one at a time, and a new one
 * closes the one before.
 * @throws TollgateError `invalid_request`, `redirect_not_allowed`, `not_found` (price), `price_inactive`,
 *   `already_subscribed`, `trial_already_used`, `checkout_busy`, `stripe_unavailable`, `stripe_refused`
 */
export async function createSession(deps: CheckoutDeps, input: CreateSessionInput): Promise<SessionRow> {
  const { db, clock } = deps;
  const { projectId, externalId } = input;
  const { accessPolicy } = await getProject(db, projectId);
  refuseBadRedirect(input.success_url, 'success_url', accessPolicy.redirectOrigins);
  refuseBadRedirect(input.cancel_url, 'cancel_url', accessPolicy.redirectOrigins);
  refuseBadMetadata(input.metadata ?? {});
  const plan = planOf(await requestedLines(db, projectId, input), input);
  const customer = await db
    .transaction()
    .execute((tx) => ensureCustomer(tx, { projectId, externalId, now: clock.now() }));
  // Before the session that is open is closed in vain.
  await refuseWhatIsHad(deps, customer, plan, input);
  return await inTurn(db, customer.id, (turn) => make(deps, turn, customer, plan, input));
}

async function make(
  deps: CheckoutDeps,
  turn: Turn,
  customer: CustomerRow,
  plan: Plan,
  input: CreateSessionInput,
): Promise<SessionRow> {
  const { projectId } = input;
  const stripeCustomerId = await readyStripeCustomer(deps, customer, input.email);
  await closeSessions(deps, customer, stripeCustomerId);
  // The session that was open may have been paid a moment ago.
  await refuseWhatIsHad(deps, customer, plan, input);
  const session = await askForSession(deps, customer, stripeCustomerId, plan, input);
  const connectionId = customer.connection_id;
  const kept = await deps.db.transaction().execute(async (tx) => {
    if (!(await stillHolds(tx, turn))) return null;
    const now = deps.clock.now();
    return await insertSession(tx, { projectId, customerId: customer.id, connectionId, plan, session, now });
  });
  if (kept !== null) return kept;
  // The turn passed to another while Stripe took its time; two open sessions would be one too many.
  await deps.connections
    .get(connectionId)
    .client.checkout.sessions.expire(session.id)
    .catch((error: unknown) => deps.log.warn({ err: error, session: session.id }, 'A stray session stays open'));
  throw checkoutBusy();
}

async function refuseWhatIsHad(
  deps: CheckoutDeps,
  customer: CustomerRow,
  { recurringProducts: products }: Plan,
  { allow_multiple, trial_period_days }: CreateSessionInput,
): Promise<void> {
  if (allow_multiple !== true) await refuseSubscribed(deps, customer, products);
  if (trial_period_days !== undefined) await refuseUsedTrial(deps.db, { customerId: customer.id, products });
}

async function askForSession(
  deps: CheckoutDeps,
  customer: CustomerRow,
  stripeCustomerId: string,
  plan: Plan,
  input: CreateSessionInput,
): Promise<Stripe.Checkout.Session> {
  const { projectId, externalId } = input;
  const { client, installation } = deps.connections.get(customer.connection_id);
  const buyer = { installation, projectId, customerId: customer.id, externalId, stripeCustomerId };
  return await askStripe(() => client.checkout.sessions.create(sessionParams(plan, input, buyer)));
}
