import type { CheckoutSession, PaymentLink } from '../model.ts';
import type { Params } from '../params.ts';
import type { World } from '../world.ts';
import { createSession } from './create-session.ts';
import { sessionFields } from './session-params.ts';

const NOTHING = Object.fromEntries(Object.keys(sessionFields).map((name) => [name, undefined])) as unknown as Params<
  typeof sessionFields
>;

/** What a visitor's address may say besides the link itself. */
export interface Visit {
  clientReferenceId: string | undefined;
  email: string | undefined;
}

/** Whether the link sells at the moment. */
export function sells({ active, restrictions }: PaymentLink): boolean {
  const { count, limit } = restrictions?.completed_sessions ?? { count: 0, limit: Number.POSITIVE_INFINITY };
  return active && count < limit;
}

/** Where a buyer goes after paying. */
function afterwards(world: World, link: PaymentLink): string {
  const { after_completion: after } = link;
  return after.type === 'redirect' ? after.redirect.url : `${world.baseUrl}/b/${link.id}/thanks`;
}

/** Opens a checkout session for somebody who follows a link. */
export function openFromLink(world: World, link: PaymentLink, visit: Visit): CheckoutSession {
  const payment = link.payment_intent_data;
  const subscription = link.subscription_data;
  const recurring = link.$.lines.some(({ price }) => price.recurring !== null);
  const nothing = <T extends object>(given: Partial<T>) => given as T;
  const session = createSession(world, {
    ...NOTHING,
    mode: recurring ? 'subscription' : 'payment',
    allow_promotion_codes: link.allow_promotion_codes || undefined,
    client_reference_id: visit.clientReferenceId,
    customer_email: visit.email,
    customer_creation: recurring ? undefined : link.customer_creation,
    line_items: link.$.lines.map(({ price, quantity, adjustable_quantity: adjustable }) => ({
      price: price.id,
      price_data: undefined,
      quantity,
      metadata: undefined,
      tax_rates: undefined,
      adjustable_quantity:
        adjustable === null
          ? undefined
          : {
              enabled: adjustable.enabled,
              maximum: adjustable.maximum ?? undefined,
              minimum: adjustable.minimum ?? undefined,
            },
    })),
    metadata: link.metadata,
    payment_method_collection: recurring ? link.payment_method_collection : undefined,
    payment_intent_data:
      recurring || payment === null
        ? undefined
        : nothing<NonNullable<(typeof NOTHING)['payment_intent_data']>>({
            description: payment.description ?? undefined,
            metadata: payment.metadata,
            setup_future_usage: payment.setup_future_usage ?? undefined,
            statement_descriptor: payment.statement_descriptor ?? undefined,
          }),
    subscription_data:
      !recurring || subscription === null
        ? undefined
        : nothing<NonNullable<(typeof NOTHING)['subscription_data']>>({
            description: subscription.description ?? undefined,
            metadata: subscription.metadata,
            trial_period_days: subscription.trial_period_days ?? undefined,
            trial_settings: subscription.trial_settings ?? undefined,
          }),
    success_url: afterwards(world, link),
  });
  session.payment_link = link.id;
  return session;
}

/** Counts a session of a link that was completed. */
export function countCompleted(world: World, session: CheckoutSession): void {
  const link = world.store.get('payment_link', session.payment_link ?? '');
  if (link?.restrictions) link.restrictions.completed_sessions.count += 1;
}
