/** Sessions as the API shows them. */
import { type Static, Type } from 'typebox';
import { Closed, CustomerId, Nullable, named, OneOf, Timestamp } from '../platform/http/schemas.ts';
import type { SessionRow } from './save-session.ts';

const session = {
  object: Type.Literal('checkout_session'),
  id: Type.String({ description: "Stripe's `cs_…`." }),
  expires_at: Timestamp,
  customer_id: CustomerId,
  mode: OneOf(['payment', 'subscription'], { description: 'Follows from the prices.' }),
};

export const CreatedSessionView = named(
  'CheckoutSession',
  Closed({ ...session, url: Type.String({ description: 'Where to send the customer.' }) }),
);

export const SessionView = named(
  'CheckoutSessionState',
  Closed({
    ...session,
    url: Nullable(Type.String({ description: 'Null once the session is complete or expired.' })),
    status: OneOf(['open', 'complete', 'expired']),
    payment_status: OneOf(['paid', 'unpaid', 'no_payment_required'], {
      description: '`unpaid` on a complete session: the payment settles later, or fails.',
    }),
    applied: Type.Boolean({
      description: 'Whether what was bought is paid, and checks answer by now with it.',
    }),
  }),
);

export const PortalSessionView = named(
  'PortalSession',
  Closed({ object: Type.Literal('portal_session'), url: Type.String({ description: 'Where to send the customer.' }) }),
);

/** @param externalId - the app's own id of the customer */
export function createdSessionView(row: SessionRow, externalId: string): Static<typeof CreatedSessionView> {
  if (row.url === null) throw new Error(`Stripe gave the session ${row.id} no page.`);
  return { ...common(row, externalId), url: row.url };
}

/** @param externalId - the app's own id of the customer */
export function sessionView(row: SessionRow, externalId: string): Static<typeof SessionView> {
  return {
    ...common(row, externalId),
    url: row.status === 'open' ? row.url : null,
    status: oneOf(['open', 'complete', 'expired'], row.status),
    payment_status: oneOf(['paid', 'unpaid', 'no_payment_required'], row.payment_status),
    applied: row.applied,
  };
}

function common(row: SessionRow, externalId: string) {
  return {
    object: 'checkout_session' as const,
    id: row.id,
    expires_at: row.expires_at.toISOString(),
    customer_id: externalId,
    mode: oneOf(['payment', 'subscription'], row.mode),
  };
}

/** @throws Error for a word of Stripe's that the API does not promise */
function oneOf<const T extends string>(words: readonly T[], text: string): T {
  const word = words.find((known) => known === text);
  if (word === undefined) throw new Error(`Stripe says "${text}" where one of ${words.join(', ')} is known.`);
  return word;
}
