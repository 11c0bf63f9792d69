import type { AuditContext } from '../audit/context.ts';
import { importProduct } from '../catalog/import-product.ts';
import { replaceMappings } from '../catalog/replace-mappings.ts';
import { TollgateError } from '../platform/errors.ts';
import { readStamps } from '../stripe/stamps.ts';
import type { Stripe } from '../stripe/types.ts';
import type { ImportedProduct } from './import-request.ts';
import type { PageReport } from './progress.ts';
import type { Begun, Taking } from './work.ts';

export interface ChosenProducts {
  /** The project's, or about to be. */
  mine: ReadonlySet<string>;
  /** Those of other projects and installations that were met. */
  elsewhere: number;
  /** Whether the account has no others. */
  all: boolean;
}

/**
 * Which of the account's products are the project's to take: those that were named, or all that are nobody else's.
 * @throws TollgateError `conflict` when one that was named is somebody else's, `not_found` when Stripe has it not
 */
export async function chooseProducts(work: Begun): Promise<ChosenProducts> {
  const { request } = work.row;
  const wanted = request.products === 'all' ? null : new Set(request.products.map(({ product }) => product));
  const known = await knownProducts(work);
  const mine = new Set<string>();
  let elsewhere = 0;
  let met = 0;
  let after: string | undefined;
  for (;;) {
    const from = after === undefined ? {} : { starting_after: after };
    const page = await work.ask('product', () =>
      work.connection.client.products.list({ limit: work.pageSize, ...from }),
    );
    met += page.data.length;
    for (const product of page.data) {
      if (wanted !== null && !wanted.has(product.id)) continue;
      if (isElsewhere(work, product, known)) {
        if (wanted !== null) throw notOurs(product.id);
        elsewhere += 1;
      } else mine.add(product.id);
    }
    after = page.data.at(-1)?.id;
    if (!page.has_more || after === undefined) break;
  }
  const missing = [...(wanted ?? [])].find((id) => !mine.has(id));
  if (missing !== undefined) throw new TollgateError('not_found', `Stripe has no product ${missing}. Check products.`);
  return { mine, elsewhere, all: mine.size === met };
}

/**
 * Takes the products that are the project's, with their prices and the mappings that were asked for.
 * @returns those that are the project's now, without what somebody else has taken since they were chosen
 * @throws TollgateError `not_found`, `conflict` when that is one that was named
 */
export async function importProducts(
  work: Taking,
  elsewhere: number,
): Promise<{ report: PageReport; mine: ReadonlySet<string> }> {
  const { row, products } = work;
  const context: AuditContext = { actor: row.actor, keyId: null, requestId: null };
  const named = new Map<string, ImportedProduct>(
    row.request.products === 'all' ? [] : row.request.products.map((one) => [one.product, one]),
  );
  const met = products.size + elsewhere;
  const reportOf = (mine: ReadonlySet<string>) => ({
    report: { counted: { products: met, elsewhere: met - mine.size }, gains: [], parked: [] },
    mine,
  });
  if (row.dry_run) return reportOf(products);
  const mine = new Set<string>();
  for (const product of products) {
    work.signal.throwIfAborted();
    if (!(await take(work, product, context))) continue;
    mine.add(product);
    const { features } = named.get(product) ?? {};
    if (features !== undefined) {
      const owner = { type: 'product', id: product } as const;
      await replaceMappings(work, { projectId: work.projectId, owner, features }, context);
    }
  }
  return reportOf(mine);
}

/** @returns false when all were asked for, and this one is somebody else's by now */
async function take(work: Taking, product: string, context: AuditContext): Promise<boolean> {
  if (await isComplete(work, product)) return true;
  const input = { projectId: work.projectId, stripeProductId: product };
  try {
    await work.ask('product', () => importProduct(work, input, context));
    return true;
  } catch (error) {
    if (work.row.request.products === 'all' && isNotOurs(error)) return false;
    throw error;
  }
}

/** Whether something is not there, or is somebody else's: no other attempt can change that. */
export function isNotOurs(error: unknown): boolean {
  return error instanceof TollgateError && (error.code === 'not_found' || error.code === 'conflict');
}

type Known = ReadonlyMap<string, string>;

/** Products of the connection, with the project that has each. */
async function knownProducts({ db, connection }: Begun): Promise<Known> {
  const rows = await db
    .selectFrom('tollgate.products')
    .select(['id', 'project_id'])
    .where('connection_id', '=', connection.id)
    .execute();
  return new Map(rows.map((row) => [row.id, row.project_id]));
}

function isElsewhere({ connection, projectId }: Begun, product: Stripe.Product, known: Known): boolean {
  const owner = known.get(product.id);
  if (owner !== undefined) return owner !== projectId;
  const stamp = readStamps(product.metadata);
  if (stamp === null) return false;
  const foreign = stamp.installation !== '' && stamp.installation !== connection.installation;
  return foreign || (stamp.projectId !== null && stamp.projectId !== projectId);
}

/** Whether the project has the product with every price that Stripe has of it. */
async function isComplete({ db, connection, projectId, ask }: Taking, product: string): Promise<boolean> {
  const stored = await db
    .selectFrom('tollgate.products as product')
    .leftJoin('tollgate.prices as price', (join) =>
      join.onRef('price.connection_id', '=', 'product.connection_id').onRef('price.product_id', '=', 'product.id'),
    )
    .where('product.connection_id', '=', connection.id)
    .where('product.id', '=', product)
    .where('product.project_id', '=', projectId)
    .where('product.deleted', '=', false)
    .select('price.id')
    .execute();
  if (stored.length === 0) return false;
  const known = new Set(stored.map(({ id }) => id));
  const prices = await ask('price', async () => {
    const ids: string[] = [];
    for await (const { id } of connection.client.prices.list({ product, limit: 100 })) ids.push(id);
    return ids;
  });
  return prices.every((id) => known.has(id));
}

function notOurs(product: string): TollgateError {
  return new TollgateError(
    'conflict',
    `The product ${product} belongs to another project or installation. Leave it out of products.`,
  );
}
