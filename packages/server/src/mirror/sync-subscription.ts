import { lockCustomer } from '../customers/lock.ts';
import { enqueueSync } from '../facts/enqueue-sync.ts';
import type { Tx } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { refuseLossInLiveMode } from '../stripe/never-deleted.ts';
import { type AttributionHints, attribute, type Declared } from './attribute.ts';
import { currentFact } from './current-fact.ts';
import { type NumberedPayment, paymentsIn } from './fetch-invoice-payment.ts';
import { type FetchedSubscription, fetchSubscription } from './fetch-subscription.ts';
import { firstLook } from './first-look.ts';
import { linkStripeCustomer } from './link-customer.ts';
import { movePayments } from './move-payments.ts';
import { lockOwner } from './owner.ts';
import { emailHint, NO_DETAIL, type ParkedDetail } from './parked-detail.ts';
import { idOf, idOrNull } from './parse-shape.ts';
import { recordInvoicePayments } from './record-invoice-payments.ts';
import { recordTrials } from './record-trials.ts';
import { saveInvoicePayment } from './save-invoice-payment.ts';
import { saveOwned } from './save-owned.ts';
import { applyIn, applyInOrder, type Fetch, holdObjects, takeNumber } from './sequence.ts';
import { type SessionHints, sessionHintsOfSubscription } from './session-hints.ts';
import {
  endedFact,
  hasEnded,
  hasEndedForGood,
  isKnownStatus,
  notFoundFact,
  subscriptionFact,
} from './subscription-fact.ts';
import { syncNamedInvoices } from './sync-invoice.ts';
import type { MirrorDeps, SyncRequest, SyncResult } from './types.ts';
import { wakeNamed } from './wake-named.ts';
import { wakeOwnEvents, wakePayment } from './wake-own-events.ts';

/** What whoever looks at a subscription has at hand already. */
export interface AtHand {
  /** What is known of the checkout session that it came out of. */
  session?: SessionHints;
  /** A payment of it, with what became of its money. */
  given?: NumberedPayment;
}

export async function syncSubscription(
  deps: MirrorDeps,
  request: SyncRequest,
  { session, given }: AtHand = {},
): Promise<SyncResult> {
  const { db, clock } = deps;
  const { id } = request.ref;
  const connection = deps.connections.get(request.connectionId);
  const sequence = await takeNumber(db, connection.id, id);
  const fetched = await fetchSubscription(connection, id);
  const detail = fetched === null ? NO_DETAIL : parkedDetail(fetched);
  const parking = { ref: request.ref, cause: request.cause, detail };
  const fetch: Fetch = { connectionId: connection.id, objectId: id, sequence, now: clock.now(), parking };
  if (fetched === null) return await endSubscription(deps, request, fetch);
  const declared = request.declared?.(fetched.customer);
  const hints = { ...(await completeHints(deps, connection, fetched, session ?? null, declared)), declared };
  const brought = await firstLook(deps, connection, request, fetched, { hints, given: given ?? null });
  const { earlier, moneyBack, examined } = brought;
  const alongside = moneyBack.map(({ paid, sequence }) => ({
    paid,
    own: { ...fetch, objectId: paid.id, sequence, parking: null },
  }));
  const save = async (tx: Tx): Promise<SyncResult> => {
    // It cannot be deleted unseen while it is linked.
    await holdObjects(tx, connection.id, [fetched.customer.id]);
    const owner = await lockOwner(tx, connection, hints, fetch.now);
    if ('refused' in owner) return owner.refused;
    const { customer, proven, displaced } = owner;
    const read = subscriptionFact(fetched);
    if (!isKnownStatus(read.status)) {
      const detail = { subscription: id, status: read.status, customer: customer.id };
      deps.log.error(detail, 'Stripe gave a subscription a status that nobody here knows; it grants nothing');
    }
    const current = fetched.customer.deleted === true ? endedFact(read, fetch.now) : read;
    const known = await currentFact(tx, connection.id, 'subscription', id);
    const over = known !== undefined && hasEndedForGood(known.fact) && current.status !== known.fact.status;
    if (over && displaced.length === 0) {
      const { projectId, customerId } = known;
      return { status: 'unchanged', reason: 'subscription_ended', projectId, customerId };
    }
    const fact = over ? known.fact : current;
    if (proven) await linkStripeCustomer(tx, customer, fetched.customer, fetch.now);
    await recordTrials(tx, customer.id, fact);
    const owned = { projectId: customer.project_id, customerId: customer.id, displaced };
    await movePayments(tx, {
      connectionId: connection.id,
      subscriptionId: id,
      from: displaced,
      to: owned,
      cause: request.cause,
      now: fetch.now,
    });
    const payments = [...paymentsIn(fetched.subscription.latest_invoice), ...earlier];
    await recordInvoicePayments(tx, connection.id, [{ ...owned, payments }]);
    if (known === undefined) {
      await wakeOwnEvents(tx, request);
      await wakeNamed(tx, connection.id, [...examined]);
      const intents = payments.map(({ payment }) => idOrNull(payment.payment.payment_intent));
      for (const id of intents) if (id !== null && !examined.has(id)) await wakePayment(tx, request, id);
    }
    for (const { paid, own } of alongside) {
      const has = await currentFact(tx, connection.id, 'invoice_payment', paid.id);
      const isAnothers = has !== undefined && has.customerId !== customer.id;
      if (!isAnothers) await applyIn(tx, own, () => saveInvoicePayment(tx, [owned], paid, own, request.cause));
      // It counts for others too, who cannot be locked any more: that takes a look of its own, for no event's sake.
      if (isAnothers || paid.paid.some(({ subscriptionId }) => subscriptionId !== id)) {
        const cause = { type: 'catalog', id } as const;
        await enqueueSync(tx, { connectionId: connection.id, ref: { type: 'payment', id: paid.id }, cause });
      }
    }
    return await saveOwned(tx, { ...owned, fact, fetch, cause: request.cause });
  };
  const others = alongside.map(({ own }) => own);
  const result = await applyInOrder(db, fetch, save, others);
  if (result.status !== 'ignored' && result.status !== 'parked') {
    const { latest_invoice: latest } = fetched.subscription;
    // What was overtaken has left its latest payment to the fetch that overtook it, whose latest may be another.
    const read = result.status === 'stale' ? null : idOrNull(latest);
    await syncNamedInvoices(
      deps,
      connection,
      (request.invoices ?? []).filter((invoice) => invoice !== read),
    );
  }
  return result;
}

function parkedDetail({ items, customer }: FetchedSubscription): ParkedDetail {
  return {
    ...NO_DETAIL,
    stripe_customer_id: customer.id,
    email_hint: emailHint(customer.email),
    price_ids: items.map((item) => item.price.id),
    product_ids: items.map((item) => idOf(item.price.product)),
  };
}

/** What a subscription by itself says about whose it is. */
export function subscriptionHints({ subscription, items, customer }: FetchedSubscription): AttributionHints {
  return {
    known: [{ kind: 'subscription', id: subscription.id }],
    metadata: [subscription.metadata],
    stripeCustomer: { id: customer.id, metadata: customer.metadata ?? null },
    priceIds: items.map((item) => item.price.id),
    productIds: items.map((item) => idOf(item.price.product)),
  };
}

/**
 * Everything that says whose a subscription is. One that a payment link sold carries no stamp: only its checkout session
 * says who bought it, and Stripe is asked for it where the subscription alone leaves the customer open.
 * @param session - what its session says, when that is at hand already
 */
export async function completeHints(
  { db }: Pick<MirrorDeps, 'db'>,
  connection: StripeConnection,
  fetched: FetchedSubscription,
  session: SessionHints | null,
  declared?: Declared,
): Promise<AttributionHints> {
  const own = { ...subscriptionHints(fetched), declared };
  let from = session;
  if (from === null) {
    const found = await attribute(db, connection, own);
    if (found.status === 'parked' && found.reason === 'customer_unknown') {
      from = await sessionHintsOfSubscription(connection, fetched.subscription.id);
    }
  }
  if (from === null) return own;
  return {
    ...own,
    known: [...own.known, ...from.known],
    metadata: [...own.metadata, ...from.metadata],
    clientReferenceId: from.clientReferenceId ?? null,
  };
}

/** Stripe has the subscription no more: the fact ends now, and what it gave until now stays in the history. */
async function endSubscription(
  { db, log, connections }: MirrorDeps,
  { ref, cause }: SyncRequest,
  fetch: Fetch,
): Promise<SyncResult> {
  return await applyInOrder(db, fetch, async (tx) => {
    const known = await currentFact(tx, fetch.connectionId, 'subscription', ref.id);
    if (known === undefined) {
      return { status: 'ignored', reason: 'missing_in_stripe', projectId: null, customerId: null };
    }
    if (!hasEnded(known.fact.status)) refuseLossInLiveMode(connections.get(fetch.connectionId), ref.id);
    const { projectId, customerId } = known;
    await lockCustomer(tx, customerId);
    const result = await saveOwned(tx, {
      projectId,
      customerId,
      fact: notFoundFact(known.fact, fetch.now),
      fetch,
      cause,
    });
    if (result.status === 'applied') {
      log.error(
        { subscription: ref.id, connection: fetch.connectionId, customer: customerId },
        'Stripe does not find a subscription, and its access has ended. Check that the connection has a key of the same account',
      );
    }
    return result;
  });
}
