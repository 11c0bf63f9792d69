/** What each source says about whose an object of Stripe's is. */
import type { Stamp } from '../stripe/stamps.ts';
import type { ClaimSource, KnownObject } from './claim-source.ts';

/** Whom one source names; null where it does not say. */
export interface Claim {
  /** Whether only the business can have said so: by a stamp, or by a session that Tollgate made. */
  proof: boolean;
  projectId: string | null;
  customerId: string | null;
  /** The app's own id of a customer that has not been seen yet. */
  externalId: string | null;
}

/** Why what the sources say leaves open whose an object is. */
export type ParkedReason =
  /** The project is certain, and nothing says who the customer is. */
  | 'customer_unknown'
  | 'stamped_project_unknown'
  | 'stamped_customer_unknown'
  /** One source says another customer, or another project, than the other. */
  | 'customer_conflict'
  | 'project_conflict'
  /** It carries another installation's stamp, and is or looks like ours for another reason. */
  | 'installation_conflict'
  /** The Stripe customer is linked in several projects, and no stamp or price says which is meant. */
  | 'project_ambiguous';

/** Who has the objects that are known already. */
export async function knownClaims(source: ClaimSource, known: readonly KnownObject[]): Promise<Claim[]> {
  const claims: Claim[] = [];
  for (const object of known) {
    const proof = object.kind === 'checkout_session';
    for (const { project_id, customer_id } of await source.ownersOf(object)) {
      claims.push({ proof, projectId: project_id, customerId: customer_id, externalId: null });
    }
  }
  return claims;
}

/** What a stamp says, as far as it names something that there is. */
export async function claimOf(source: ClaimSource, stamp: Stamp): Promise<Claim | ParkedReason> {
  const { customerId } = stamp;
  if (stamp.projectId !== null && !(await source.hasProject(stamp.projectId))) return 'stamped_project_unknown';
  if (customerId === null) return { proof: false, projectId: stamp.projectId, customerId: null, externalId: null };
  const own = await source.customer(customerId);
  if (own !== undefined) {
    const elsewhere = stamp.projectId !== null && stamp.projectId !== own.project_id;
    return elsewhere
      ? 'project_conflict'
      : { proof: true, projectId: own.project_id, customerId: own.id, externalId: null };
  }
  // One of our own ids that nobody has: a database that was restored, or not yet committed. Never an app's id.
  if (isOwnId(customerId) || !isExternalId(customerId)) return 'stamped_customer_unknown';
  return { proof: true, projectId: stamp.projectId, customerId: null, externalId: customerId };
}

const OWN_ID = /^cust_[0-9a-hjkmnp-tv-z]{26}$/;

/** Whether a text has the form of Tollgate's own customer ids. */
export function isOwnId(text: string): boolean {
  return OWN_ID.test(text);
}

/** What the API takes for an app's customer id. */
export function isExternalId(text: string): boolean {
  return text.length >= 1 && text.length <= 200 && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text);
}
