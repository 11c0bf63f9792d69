import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import { ensureCustomer } from '../customers/ensure-customer.ts';
import { lockCustomer } from '../customers/lock.ts';
import { putCustomer } from '../customers/put-customer.ts';
import { type ObjectType, type SyncResult, syncObject } from '../mirror/sync-object.ts';
import type { Queryable } from '../platform/database.ts';
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
 * Linking its Stripe customer goes first and by the rules of `PUT /customers`: where another project is served through
 * it, linking is refused and nothing is attached.
 *
 * Whoever asks again, not having heard the answer, hears it now: nothing is decided twice.
 * @throws TollgateError `not_found` (parked object, project, or Stripe customer), `not_parked`, `not_attachable`,
 *   `other_connection`, `stripe_customer_taken`, `customer_linked`, `conflict`, `stripe_unavailable`
 */
export async function attachParked(deps: ParkedDeps, input: AttachInput, context: AuditContext): Promise<Attached> {
  const { db } = deps;
  const { projectId, externalId } = input;
  const parked = await getParked(db, input.parkedId);
  const attachable = isAttachedTo(parked, input) || isAttachable(parked, input);
  if (!attachable && !(await isSettledByItsLink(db, parked, input))) throw notParked(parked);
  refuseCatalog(parked);
  const project = await getProject(db, projectId);
  if (project.connectionId !== parked.connection_id) throw otherConnection(parked);

  if (isLinking(parked, input)) {
    const { stripe_customer_id: stripeCustomerId } = parked.detail;
    if (stripeCustomerId === null) throw noStripeCustomer();
    await putCustomer(deps, { projectId, externalId, stripeCustomerId }, context);
  }
  await decide(deps, parked, input, context);
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

/** To have a Stripe customer is to be linked to it: there is nothing else to attach. */
function isLinking({ object_type: type }: ParkedRow, { linkStripeCustomer }: AttachInput): boolean {
  return linkStripeCustomer || type === 'customer';
}

/** Whether an attempt that died after it had linked the Stripe customer left it at that, and the object found its owner. */
async function isSettledByItsLink(db: Queryable, parked: ParkedRow, input: AttachInput): Promise<boolean> {
  const { stripe_customer_id: stripeCustomerId } = parked.detail;
  if (parked.status !== 'resolved' || stripeCustomerId === null || !isLinking(parked, input)) return false;
  let linked = db
    .selectFrom('tollgate.customers as customer')
    .select('customer.id')
    .where('customer.project_id', '=', input.projectId)
    .where('customer.external_id', '=', input.externalId)
    .where('customer.stripe_customer_id', '=', stripeCustomerId);
  if (parked.object_type !== 'customer') {
    linked = linked
      .innerJoin('tollgate.facts as fact', 'fact.customer_id', 'customer.id')
      .where('fact.object_id', '=', parked.object_id);
  }
  return (await linked.executeTakeFirst()) !== undefined;
}

async function decide(
  { db, clock }: ParkedDeps,
  parked: ParkedRow,
  input: AttachInput,
  context: AuditContext,
): Promise<void> {
  const { projectId, externalId, reason } = input;
  const now = clock.now();
  const at = new Date(now);
  await db.transaction().execute(async (tx) => {
    const { id: customerId } = await ensureCustomer(tx, { projectId, externalId, now });
    await lockCustomer(tx, customerId);
    const before = await lockParked(tx, parked.id);
    if (isAttachedTo(before, input)) return;
    // Its link may have settled it already.
    const settled = before.status === 'resolved' && isLinking(parked, input);
    if (!settled && !isAttachable(before, input)) throw notParked(before);
    const attachment = { project_id: projectId, customer_id: customerId, reason, actor: context.actor, created_at: at };
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
    const { id, object_type: type, object_id: object, reason: parkedFor } = parked;
    const detail = { parked: id, object, type, parked_for: parkedFor, was: before.status };
    await recordAudit(tx, { ...context, action: 'parked.attached', projectId, customerId, reason, detail }, now);
  });
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
