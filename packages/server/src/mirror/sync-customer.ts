import type { SubscriptionFact } from '@tollgate/core';
import type { CustomerRow } from '../customers/find.ts';
import { lockCustomer } from '../customers/lock.ts';
import type { Database, Tx } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { refuseLossInLiveMode } from '../stripe/never-deleted.ts';
import type { AttributionHints, Declared } from './attribute.ts';
import { customerCopy, isCopyOld } from './customer-copy.ts';
import { fetchCustomer } from './fetch-customer.ts';
import { linkStripeCustomer, rememberDeleted } from './link-customer.ts';
import { lockOwner } from './owner.ts';
import { emailHint, NO_DETAIL } from './parked-detail.ts';
import { applyInOrder, type Fetch, takeNumber } from './sequence.ts';
import type { CustomerShape } from './shapes.ts';
import { hasEnded } from './subscription-fact.ts';
import { syncSubscription } from './sync-subscription.ts';
import type { MirrorDeps, SyncRequest, SyncResult } from './types.ts';

/**
 * A Stripe customer: linked to the customer that it is stamped for, with copies of its email and name. One that was
 * deleted takes its subscriptions with it and is forgotten, so that the next checkout makes another.
 */
export async function syncCustomer(deps: MirrorDeps, request: SyncRequest): Promise<SyncResult> {
  const { db, clock } = deps;
  const { id } = request.ref;
  const connection = deps.connections.get(request.connectionId);
  const sequence = await takeNumber(db, connection.id, id);
  const found = await fetchCustomer(connection, id);
  // One that is missing is as good as deleted.
  const customer: CustomerShape = found ?? { id, deleted: true };
  await syncSubscriptionsOf(deps, request, customer.deleted === true ? isStanding : dependsOnCard);
  const detail = { ...NO_DETAIL, stripe_customer_id: id, email_hint: emailHint(customer.email) };
  const parking = { ref: request.ref, cause: request.cause, detail };
  const fetch: Fetch = { connectionId: connection.id, objectId: id, sequence, now: clock.now(), parking };
  return await applyInOrder(db, fetch, async (tx) => {
    const linked = await lockLinked(tx, connection, id);
    if (found?.deleted === true) await rememberDeleted(tx, connection.id, id, fetch.now);
    if (found === null && linked.length > 0) refuseLossInLiveMode(connection, id);
    if (customer.deleted === true) return await forget(tx, linked, fetch.now);
    if (linked.length > 0) return await copyTo(tx, linked, customer, fetch.now);
    return await adopt(tx, connection, customerHints(customer, request.declared?.(customer)), customer, fetch.now);
  });
}

/** With a customer, Stripe ends its subscriptions. */
function isStanding({ status }: SubscriptionFact): boolean {
  return !hasEnded(status);
}

/** What becomes of a trial may hang on the customer's card, of which no event about the subscription tells. */
function dependsOnCard({ status, trialEndBehavior }: SubscriptionFact): boolean {
  return status === 'trialing' && trialEndBehavior !== 'create_invoice';
}

/** They are fetched, since a customer here may have had several there. */
async function syncSubscriptionsOf(
  deps: MirrorDeps,
  request: SyncRequest,
  isConcerned: (fact: SubscriptionFact) => boolean,
): Promise<void> {
  for (const { id } of (await subscriptionsOf(deps.db, request)).filter(isConcerned)) {
    await syncSubscription(deps, { ...request, partOf: request.ref, ref: { type: 'subscription', id } });
  }
}

async function subscriptionsOf(db: Database, { connectionId, ref }: SyncRequest): Promise<SubscriptionFact[]> {
  const rows = await db
    .selectFrom('tollgate.facts as fact')
    .innerJoin('tollgate.customers as customer', 'customer.id', 'fact.customer_id')
    .where('customer.connection_id', '=', connectionId)
    .where('customer.stripe_customer_id', '=', ref.id)
    .where('fact.kind', '=', 'subscription')
    .select('fact.body')
    .orderBy('fact.object_id')
    .execute();
  return rows.flatMap(({ body }) => (body.kind === 'subscription' ? [body] : []));
}

/** Every customer with this Stripe customer (one a project), locked in the order of their ids. */
async function lockLinked(tx: Tx, connection: StripeConnection, stripeCustomerId: string): Promise<CustomerRow[]> {
  const rows = await tx
    .selectFrom('tollgate.customers')
    .select('id')
    .where('connection_id', '=', connection.id)
    .where('stripe_customer_id', '=', stripeCustomerId)
    .orderBy('id')
    .execute();
  const locked: CustomerRow[] = [];
  for (const { id } of rows) locked.push(await lockCustomer(tx, id));
  return locked.filter((row) => row.stripe_customer_id === stripeCustomerId);
}

async function forget(tx: Tx, linked: readonly CustomerRow[], now: number): Promise<SyncResult> {
  const [first] = linked;
  if (first === undefined) {
    return { status: 'ignored', reason: 'missing_in_stripe', projectId: null, customerId: null };
  }
  await tx
    .updateTable('tollgate.customers')
    .set((set) => ({
      stripe_customer_id: null,
      stripe_generation: set('stripe_generation', '+', 1),
      updated_at: new Date(now),
    }))
    .where(
      'id',
      'in',
      linked.map((row) => row.id),
    )
    .execute();
  return { status: 'applied', reason: 'stripe_customer_deleted', ...ownersOf(linked) };
}

async function copyTo(
  tx: Tx,
  linked: readonly CustomerRow[],
  customer: CustomerShape,
  now: number,
): Promise<SyncResult> {
  const old = linked.filter((row) => isCopyOld(customer, row));
  for (const row of old) {
    await tx
      .updateTable('tollgate.customers')
      .set({ ...customerCopy(customer, row), updated_at: new Date(now) })
      .where('id', '=', row.id)
      .execute();
  }
  return { status: old.length > 0 ? 'applied' : 'unchanged', reason: null, ...ownersOf(linked) };
}

/** What a Stripe customer says about whose it is. */
export function customerHints(
  { id, metadata }: { id: string; metadata?: CustomerShape['metadata'] },
  declared?: Declared,
): AttributionHints {
  const stripeCustomer = { id, metadata: metadata ?? null };
  return { known: [], metadata: [], stripeCustomer, priceIds: [], productIds: [], declared, isCustomer: true };
}

/** A Stripe customer that is known to nobody yet: the stamps say whose it is, or the import of the whole account. */
async function adopt(
  tx: Tx,
  connection: StripeConnection,
  hints: AttributionHints,
  customer: CustomerShape,
  now: number,
): Promise<SyncResult> {
  const owner = await lockOwner(tx, connection, hints, now);
  if ('refused' in owner) return owner.refused;
  const { customer: row, proven } = owner;
  if (!proven) return UNPROVEN;
  if (!(await linkStripeCustomer(tx, row, customer, now))) {
    const named = { project_id: row.project_id, customer_id: row.id, external_id: null, evidence: 'stamp' } as const;
    return { ...CONFLICT, candidates: [named] };
  }
  await copyTo(tx, [row], customer, now);
  return { status: 'applied', reason: null, projectId: row.project_id, customerId: row.id };
}

/** Something calls it like a customer, and nothing proves it: with the link would go the customer's billing portal. */
const UNPROVEN: SyncResult = { status: 'parked', reason: 'customer_unknown', projectId: null, customerId: null };

/** Whoever it is stamped for has another Stripe customer. */
const CONFLICT: SyncResult = { status: 'parked', reason: 'customer_conflict', projectId: null, customerId: null };

/** Names the owner when there is one; several customers share no id. */
function ownersOf(linked: readonly CustomerRow[]): Pick<SyncResult, 'projectId' | 'customerId'> {
  const [only] = linked.length === 1 ? linked : [];
  return { projectId: only?.project_id ?? null, customerId: only?.id ?? null };
}
