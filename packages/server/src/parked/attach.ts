import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import { ensureCustomer } from '../customers/ensure-customer.ts';
import { type CustomerRow, findCustomer } from '../customers/find.ts';
import { askForLink, type PossibleLink, recordLinked, saveLink, stampLinked } from '../customers/link.ts';
import { lockCustomer } from '../customers/lock.ts';
import { holdObjects } from '../mirror/sequence.ts';
import { type ObjectType, type SyncResult, syncObject } from '../mirror/sync-object.ts';
import type { Tx } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import { getProject } from '../projects/find-project.ts';
import { askStripe } from '../stripe/refusal.ts';
import type { ParkedDeps } from './deps.ts';
import { getParked, type ParkedRow } from './find-parked.ts';
import { lockParked, notParked, syncLater } from './lock-parked.ts';

export interface AttachInput {
  parkedId: string;
  projectId: string;
  /** The app's own id; the customer need not be known. */
  externalId: string;
  reason: string;
  /** Links the object's Stripe customer too, so that its next objects need nobody. */
  linkStripeCustomer: boolean;
  /** Takes an object that was attached before to another customer. */
  move: boolean;
}

export interface Attached {
  parked: ParkedRow;
  sync: { status: SyncResult['status'] | 'pending'; reason: string | null };
}

/** The job is there for when this process dies before it has synced the object itself. */
const JOB_AFTER_MS = 1_000;

/**
 * An operator says whose a parked object is: that beats whatever else is known. The decision, its audit entry and the
 * job that syncs the object commit together; the object is then synced at once.
 *
 * Its Stripe customer is linked with the decision or not at all, by the rules of `PUT /customers`: where another project
 * is served through it, or somebody else decided first, nothing is attached and nothing linked.
 *
 * Whoever asks again, not having heard the answer, hears it now: nothing is decided twice.
 * @throws TollgateError `not_found` (parked object, project, or Stripe customer), `not_parked`, `not_attachable`,
 *   `other_connection`, `stripe_customer_taken`, `customer_linked`, `conflict`, `stripe_unavailable`
 */
export async function attachParked(deps: ParkedDeps, input: AttachInput, context: AuditContext): Promise<Attached> {
  const { db } = deps;
  const { projectId, externalId } = input;
  const parked = await getParked(db, input.parkedId);
  if (!isAttachedTo(parked, input) && !isAttachable(parked, input)) throw notParked(parked);
  refuseCatalog(parked);
  const project = await getProject(db, projectId);
  if (project.connectionId !== parked.connection_id) throw otherConnection(parked);

  const link = await linkOf(deps, parked, input);
  const customer = await decide(deps, { parked, input, link }, context);
  if (link !== null) await stampLinked(link, customer);
  const sync = await syncNow(deps, parked);
  deps.snapshots.forget(projectId, externalId);
  return { parked: await getParked(db, parked.id), sync };
}

function isAttachable({ status }: Pick<ParkedRow, 'status'>, { move }: AttachInput): boolean {
  return status === 'open' || status === 'dismissed' || (status === 'attached' && move);
}

function isAttachedTo(parked: ParkedRow, { projectId, externalId }: AttachInput): boolean {
  const { status, attached_project_id: project, attached_external_id: customer } = parked;
  return status === 'attached' && project === projectId && customer === externalId;
}

/** The link that is part of the decision; null: none is. */
async function linkOf({ db, connections }: ParkedDeps, parked: ParkedRow, input: AttachInput) {
  // To have a Stripe customer is to be linked to it: there is nothing else to attach.
  if (!input.linkStripeCustomer && parked.object_type !== 'customer') return null;
  const { projectId, externalId } = input;
  const { stripe_customer_id: stripeCustomerId } = parked.detail;
  if (stripeCustomerId === null) throw noStripeCustomer();
  const known = await findCustomer(db, projectId, externalId);
  const connection = connections.get(parked.connection_id);
  return await askForLink(db, connection, { projectId, externalId, stripeCustomerId }, known);
}

interface Decision {
  parked: ParkedRow;
  input: AttachInput;
  link: PossibleLink | null;
}

/** @returns whom it is attached to */
async function decide(
  { db, clock }: ParkedDeps,
  { parked, input, link }: Decision,
  context: AuditContext,
): Promise<CustomerRow> {
  const { projectId, externalId, reason } = input;
  const now = clock.now();
  return await db.transaction().execute(async (tx) => {
    // Whoever syncs them waits, or is waited for: it locks the parked object too, and what is enqueued here.
    const held = [parked.object_id, ...(link === null ? [] : [link.stripeCustomerId])];
    for (const id of held) await holdObjects(tx, parked.connection_id, [id]);
    const { id: customerId } = await ensureCustomer(tx, { projectId, externalId, now });
    const customer = await lockCustomer(tx, customerId);
    const before = await lockParked(tx, parked.id);
    const isRepeat = isAttachedTo(before, input);
    if (!isRepeat && !isAttachable(before, input)) throw notParked(before);
    const linked = link === null ? null : await saveLink(tx, customer, link, now);
    if (!isRepeat) await save(tx, { parked, customerId, input, now }, context);
    if (link !== null && linked !== null) await recordLinked(tx, customer, link, { ...context, reason }, now);
    if (isRepeat) return customer;
    const { id, object_type: type, object_id: object, reason: parkedFor } = parked;
    const detail = { parked: id, object, type, parked_for: parkedFor, was: before.status };
    await recordAudit(tx, { ...context, action: 'parked.attached', projectId, customerId, reason, detail }, now);
    return customer;
  });
}

async function save(
  tx: Tx,
  { parked, customerId, input, now }: { parked: ParkedRow; customerId: string; input: AttachInput; now: number },
  { actor }: AuditContext,
): Promise<void> {
  const { projectId, reason } = input;
  const at = new Date(now);
  const attachment = { project_id: projectId, customer_id: customerId, reason, actor, created_at: at };
  await tx
    .insertInto('tollgate.attachments')
    .values({ connection_id: parked.connection_id, object_id: parked.object_id, ...attachment })
    .onConflict((conflict) => conflict.columns(['connection_id', 'object_id']).doUpdateSet(attachment))
    .execute();
  await tx
    .updateTable('tollgate.parked_objects')
    .set({ status: 'attached', resolution: reason, settled_at: at })
    .where('id', '=', parked.id)
    .execute();
  await syncLater(tx, parked, new Date(Date.now() + JOB_AFTER_MS));
}

async function syncNow(deps: ParkedDeps, parked: ParkedRow): Promise<Attached['sync']> {
  const ref = { type: parked.object_type as ObjectType, id: parked.object_id };
  const cause = { type: 'attachment', id: parked.id } as const;
  try {
    const { status, reason } = await askStripe(() =>
      syncObject(deps, { connectionId: parked.connection_id, ref, cause }),
    );
    return { status, reason };
  } catch (error) {
    if (!(error instanceof TollgateError)) throw error;
    deps.log.warn({ err: error, parked: parked.id }, 'An attached object could not be synced now; its job will');
    return { status: 'pending', reason: error.code };
  }
}

function refuseCatalog({ object_type: type }: ParkedRow): void {
  if (type !== 'product' && type !== 'price') return;
  throw new TollgateError(
    'not_attachable',
    `A ${type} belongs to a project and to no customer. Correct its tollgate_* metadata in Stripe, import the product, or dismiss it.`,
  );
}

function otherConnection({ connection_id: connection }: ParkedRow): TollgateError {
  return new TollgateError(
    'other_connection',
    `The object is in the account of the connection ${connection}, which the project does not use. Choose a project that does.`,
    [{ path: 'project_id', message: 'uses another connection' }],
  );
}

function noStripeCustomer(): TollgateError {
  return new TollgateError(
    'not_attachable',
    'The object has no Stripe customer that could be linked. Leave link_stripe_customer out.',
    [{ path: 'link_stripe_customer', message: 'there is no Stripe customer' }],
  );
}
