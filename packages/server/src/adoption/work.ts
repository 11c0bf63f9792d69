import type { CatalogDeps } from '../catalog/deps.ts';
import { loadCatalog } from '../catalog/load-catalog.ts';
import { checkedMappings } from '../catalog/mappings.ts';
import type { Attribution, AttributionHints } from '../mirror/attribute.ts';
import type { ClaimSource } from '../mirror/claim-source.ts';
import { type KnownOwner, loadClaims } from '../mirror/load-claims.ts';
import type { SyncRequest } from '../mirror/sync-object.ts';
import type { MirrorDeps } from '../mirror/types.ts';
import type { Queryable } from '../platform/database.ts';
import { getProject } from '../projects/find-project.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import type { Ask } from '../stripe/manner.ts';
import type { Rules } from './gains.ts';
import type { ImportRow } from './start-import.ts';

/** An import that has begun: what its account is asked with. */
export interface Begun extends MirrorDeps, Pick<CatalogDeps, 'requestRecomputation'> {
  row: ImportRow;
  connection: StripeConnection;
  projectId: string;
  pageSize: number;
  signal: AbortSignal;
  ask: Ask;
}

/** One of which it is known what it takes. */
export interface Taking extends Begun {
  /** The products that the project has, or would have. */
  products: ReadonlySet<string>;
  /** Whether the account has no others. */
  all: boolean;
  /** Stripe customers of whose payments some were refunded or disputed; none of them in a dry run. */
  payersWithMoneyBack: ReadonlySet<string>;
}

/** Everything that a page needs: what is declared of the account's customers holds as long as it serves the project alone. */
export interface Work extends Taking {
  /** Whether it did when it was asked last. */
  alone: boolean;
  declared: NonNullable<SyncRequest['declared']>;
}

/** The rules of the project; of a dry run with the mappings that were asked for, which nobody has saved. */
export async function rulesOf({ db, row, projectId }: Work): Promise<Rules> {
  const { accessPolicy: policy } = await getProject(db, projectId);
  const catalog = await loadCatalog(db, projectId);
  const { products } = row.request;
  if (!row.dry_run || products === 'all') return { catalog, policy };
  const asked: Rules['catalog']['products'] = { ...catalog.products };
  const overlay: Record<string, (typeof asked)[string]> = {};
  for (const { product, features } of products) {
    if (features !== undefined) overlay[product] = await checkedMappings(db, projectId, features);
  }
  return { catalog: { ...catalog, products: { ...asked, ...overlay } }, policy };
}

/** What says whose the objects of a page are; the products that a dry run would import count as the project's. */
export async function claimsOf(
  { connection, products, projectId, row }: Work,
  db: Queryable,
  hints: readonly AttributionHints[],
  owners: readonly KnownOwner[],
): Promise<ClaimSource> {
  const claims = await loadClaims(db, connection, hints, owners);
  if (!row.dry_run) return claims;
  return {
    ...claims,
    sellersOf: async (sold) => {
      const sellers = await claims.sellersOf(sold);
      return sold.productIds.some((id) => products.has(id)) ? [...new Set([...sellers, projectId])] : sellers;
    },
  };
}

/** Whether anything ties what is parked to the project. */
export function concerns({ projectId }: Work, { candidates }: Extract<Attribution, { status: 'parked' }>): boolean {
  return candidates.some(({ project_id: id }) => id === projectId);
}
