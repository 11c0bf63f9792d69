import type { StripeConnection } from '../stripe/connections.ts';
import type { AttributionHints } from './attribute.ts';
import { parseShape } from './parse-shape.ts';
import { SessionShape } from './shapes.ts';

/** What a checkout session says about whose the objects are that came out of it. */
export type SessionHints = Pick<AttributionHints, 'known' | 'metadata' | 'clientReferenceId'>;

export function sessionHints(session: SessionShape): SessionHints {
  return {
    known: [{ kind: 'checkout_session', id: session.id }],
    metadata: [session.metadata],
    clientReferenceId: session.client_reference_id,
  };
}

/** The same for the session that a subscription came out of; null when it came about without one. */
export async function sessionHintsOfSubscription(
  { client }: StripeConnection,
  subscription: string,
): Promise<SessionHints | null> {
  const [session] = (await client.checkout.sessions.list({ subscription, limit: 1 })).data;
  return session === undefined ? null : sessionHints(parseShape(SessionShape, session, 'checkout session'));
}
