import type { Queryable } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { readStamps, type Stamp } from '../stripe/stamps.ts';
import type { Attachment } from './attachments.ts';
import { type ClaimSource, claimsIn, type KnownObject } from './claim-source.ts';
import { type Claim, claimOf, isExternalId, isOwnId, knownClaims, type ParkedReason } from './claims.ts';
import type { Candidate } from './parked-detail.ts';

type Metadata = Readonly<Record<string, string>>;

/** What an object of Stripe's says about whose it is. */
export interface AttributionHints {
  /** The object itself: a fact (`subscription`, `purchase`) or checkout session that is known settles the question. */
  known: readonly KnownObject[];
  /** The metadata of the object, and of those that were made together with it. */
  metadata: readonly (Metadata | null | undefined)[];
  /** `metadata` is null when the customer was not read. */
  stripeCustomer: { id: string; metadata: Metadata | null } | null;
  priceIds: readonly string[];
  productIds: readonly string[];
  /** Set on payment links and foreign sessions: the app's own id of the customer. The payer can change it. */
  clientReferenceId?: string | null;
  /** Where nothing else names a customer. */
  declared?: Declared | undefined;
  /** It is the Stripe customer itself: no price or product says whose. */
  isCustomer?: boolean;
}

/** An operator's word on a whole account: its customers in a project are called so. */
export interface Declared {
  projectId: string;
  /** The app's own id; null where the Stripe customer does not have what it is to be read from. */
  externalId: string | null;
  /** Whether the Stripe customer may be linked: not where other projects are served through the account. */
  links: boolean;
  /** Whether a Stripe customer that nobody claims is the project's: only where everything in the account is. */
  takesUnclaimed: boolean;
}

export type Attribution =
  | {
      status: 'ours';
      projectId: string;
      customerId: string;
      proven: boolean;
      /** Others who have the object now, and lose it because an operator attached it to this customer. */
      displaced: readonly string[];
    }
  /** Ours, by an app's own customer id that has never been seen: saving creates the customer. */
  | { status: 'new_customer'; projectId: string; externalId: string; proven: boolean }
  | { status: 'ignored'; reason: IgnoredReason }
  | { status: 'parked'; reason: ParkedReason; candidates: readonly Candidate[] };

export type IgnoredReason =
  /** Neither the object, nor its customer, price or product is known, and no stamp says that it is ours. */
  'not_ours' | 'other_installation';

/**
 * Finds out whose an object is. Reads only.
 *
 * What an operator attached is whose they said. Else what is known already counts first, then the stamps on the object,
 * then its Stripe customer (the link here, and the stamps there), then its prices and products, and last the client
 * reference. Where two of them disagree, no guess is made: the object is parked, with everyone whom they name. The client
 * reference alone cannot disagree, since whoever pays can write it; and for the same reason what it led to is not
 * `proven`: good for receiving what was paid for, and for nothing else.
 */
export async function attribute(
  db: Queryable,
  connection: StripeConnection,
  hints: AttributionHints,
): Promise<Attribution> {
  return await attributeBy(claimsIn(db, connection), connection.installation, hints);
}

/** The same, by what has been looked up (`load-claims.ts`) or is looked up on the way. */
export async function attributeBy(
  source: ClaimSource,
  installation: string,
  hints: AttributionHints,
): Promise<Attribution> {
  const stamps = stampsOf(hints, installation);
  const known = await knownClaims(source, hints.known);
  const objectIds = hints.known.map(({ id }) => id);
  const attached = await source.attachment(objectIds);
  if (attached !== undefined) return { status: 'ours', ...attached, proven: false, displaced: others(known, attached) };
  const catalog = await source.sellersOf(hints);
  const links = hints.stripeCustomer === null ? [] : await source.linkedTo(hints.stripeCustomer.id);
  const evidence: Candidate[] = [
    ...known.map((claim) => candidate('known', claim)),
    ...stamps.own.map(stamped),
    ...links.map(({ project_id, id }) => candidate('stripe_customer', { projectId: project_id, customerId: id })),
    ...catalog.map((projectId) => candidate('catalog', { projectId })),
    ...referred(hints),
  ];
  const parked = (reason: ParkedReason): Attribution => ({ status: 'parked', reason, candidates: evidence });
  if (stamps.foreign) {
    const looksOurs = known.length > 0 || stamps.own.length > 0 || links.length > 0 || catalog.length > 0;
    return looksOurs ? parked('installation_conflict') : { status: 'ignored', reason: 'other_installation' };
  }

  const claims = [...known];
  for (const stamp of stamps.own) {
    const claim = await claimOf(source, stamp);
    if (typeof claim === 'string') return parked(claim);
    claims.push(claim);
  }
  const certain = distinct(claims.map((claim) => claim.projectId));
  if (certain.length > 1 || catalog.length > 1) return parked('project_conflict');
  const [project = catalog[0]] = certain;
  if (project !== undefined && catalog[0] !== undefined && catalog[0] !== project) return parked('project_conflict');

  const projectId = project ?? onlyProject(links) ?? unclaimed(hints, links.length + stamps.own.length);
  if (projectId === undefined) {
    if (links.length > 1) return parked('project_ambiguous');
    // A stamp that names a customer and no project is somebody's who meant us.
    return stamps.own.length > 0 ? parked('stamped_project_unknown') : { status: 'ignored', reason: 'not_ours' };
  }
  const link = links.find((candidate) => candidate.project_id === projectId);
  const { declared } = hints;
  const isDeclared = declared?.projectId === projectId;
  if (link === undefined && links.length > 0 && certain.length === 0 && !isDeclared) return parked('project_conflict');
  if (link !== undefined) claims.push({ proof: false, projectId, customerId: link.id, externalId: null });
  const named = claims.some(({ customerId, externalId }) => customerId !== null || externalId !== null);
  if (!named && isDeclared && declared.externalId !== null && isExternalId(declared.externalId)) {
    claims.push({ proof: declared.links, projectId, customerId: null, externalId: declared.externalId });
  }
  const found = await customerOf(source, projectId, claims, hints.clientReferenceId ?? null);
  return typeof found === 'string' ? parked(found) : found;
}

/** Who else has the object now. */
function others(known: readonly Claim[], attached: Attachment): string[] {
  return distinct(known.map(({ customerId }) => customerId)).filter((id) => id !== attached.customerId);
}

function candidate(
  evidence: Candidate['evidence'],
  { projectId = null, customerId = null, externalId = null }: Partial<Claim>,
): Candidate {
  return { project_id: projectId, customer_id: customerId, external_id: externalId, evidence };
}

/** As it is written: it may name what there is not. */
function stamped({ projectId, customerId }: Stamp): Candidate {
  const own = customerId !== null && isOwnId(customerId);
  return candidate('stamp', { projectId, ...(own ? { customerId } : { externalId: customerId }) });
}

function referred({ clientReferenceId = null }: AttributionHints): Candidate[] {
  return clientReferenceId === null ? [] : [candidate('client_reference_id', { externalId: clientReferenceId })];
}

function stampsOf({ metadata, stripeCustomer }: AttributionHints, installation: string) {
  const found = [...metadata, stripeCustomer?.metadata].map(readStamps).filter((stamp) => stamp !== null);
  // Stamps that were written by hand may name no installation: then they are meant for whoever reads them.
  const own = found.filter((stamp) => stamp.installation === installation || stamp.installation === '');
  return { own, foreign: own.length < found.length };
}

/** A Stripe customer whom nothing ties to anybody, and whom the import of a whole account names. */
function unclaimed({ isCustomer = false, declared }: AttributionHints, claims: number): string | undefined {
  if (!isCustomer || claims > 0 || declared === undefined || !declared.takesUnclaimed) return undefined;
  return declared.externalId !== null && isExternalId(declared.externalId) ? declared.projectId : undefined;
}

function onlyProject(links: readonly { project_id: string }[]): string | undefined {
  return links.length === 1 ? links[0]?.project_id : undefined;
}

/** The customer that the claims agree on. */
async function customerOf(
  source: ClaimSource,
  projectId: string,
  claims: readonly Claim[],
  clientReferenceId: string | null,
): Promise<Attribution | ParkedReason> {
  const externalIds = distinct(claims.map((claim) => claim.externalId));
  const named = await source.named(projectId, externalIds);
  const customerIds = distinct([...claims.map((claim) => claim.customerId), ...named.map((row) => row.id)]);
  const fresh = externalIds.filter((externalId) => named.every((row) => row.external_id !== externalId));
  if (customerIds.length + fresh.length > 1) return 'customer_conflict';
  const proven = claims.some((claim) => claim.proof);
  const [customerId] = customerIds;
  if (customerId !== undefined) return { status: 'ours', projectId, customerId, proven, displaced: [] };
  const [externalId] = fresh;
  if (externalId !== undefined) return { status: 'new_customer', projectId, externalId, proven };
  if (clientReferenceId === null || !isExternalId(clientReferenceId)) return 'customer_unknown';
  const [referred] = await source.named(projectId, [clientReferenceId]);
  return referred === undefined
    ? { status: 'new_customer', projectId, externalId: clientReferenceId, proven: false }
    : { status: 'ours', projectId, customerId: referred.id, proven: false, displaced: [] };
}

function distinct(values: readonly (string | null)[]): string[] {
  return [...new Set(values.filter((value) => value !== null))];
}
