import type { PriceRow, ProductRow } from '../catalog/views.ts';
import type { Queryable } from '../platform/database.ts';
import { isMissing } from '../stripe/refusal.ts';
import type { Stripe } from '../stripe/types.ts';
import { fieldChanges } from './field-changes.ts';
import type { Kind, Look, StripePage, Verdict } from './kind.ts';
import { notSeen } from './stored-facts.ts';
import { outOfScope } from './verdicts.ts';

/** What products and prices do not have in common. */
interface CatalogObjects<T, Row> {
  name: 'product' | 'price';
  list(client: Stripe, page: Stripe.PaginationParams): Promise<StripePage<T>>;
  retrieve(client: Stripe, id: string): Promise<T>;
  /** The row of it, whichever project's it is. */
  storedIn(db: Queryable, connectionId: string, id: string): Promise<Row | undefined>;
  /** Whose it is, and what the mirror would save: columns of the row. */
  mirrored(look: Look, found: T, stored: Row | undefined): Promise<Mirrored | Verdict>;
}

interface Mirrored {
  projectId: string;
  columns: Record<string, unknown>;
}

/** How objects of the catalog are compared: with a row of their own, column by column. */
export function catalogKind<T extends { id: string }, Row extends ProductRow | PriceRow>(
  objects: CatalogObjects<T, Row>,
): Kind<T> {
  const { name } = objects;
  const table = `tollgate.${name}s` as const;

  async function compare(look: Look, found: T): Promise<Verdict> {
    const stored = await objects.storedIn(look.db, look.connection.id, found.id);
    const mirrored = await objects.mirrored(look, found, stored);
    if ('status' in mirrored) return mirrored;
    const { projectId, columns } = mirrored;
    if (outOfScope(look.scope, { projectId, customerId: null })) return { status: 'out_of_scope' };
    const fields = fieldChanges(stored === undefined ? null : sameColumns(stored, columns), columns);
    if (stored !== undefined && fields.length === 0) return { status: 'in_sync' };
    const kind = stored === undefined ? 'missing_locally' : 'different';
    const since = stored?.updated_at ?? null;
    return { status: 'drift', drift: { kind, projectId, customerId: null, fields, since } };
  }

  /** @returns null when Stripe has it no more */
  async function retrieve({ connection }: Look, id: string): Promise<T | null> {
    try {
      const found: T & { deleted?: unknown } = await objects.retrieve(connection.client, id);
      return found.deleted === true ? null : found;
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  return {
    name,
    refOf: (id) => ({ type: name, id }),
    storedId: ({ id }) => id,
    compare,

    async list(look, { limit, startingAfter }) {
      const from = startingAfter === undefined ? {} : { starting_after: startingAfter };
      return await objects.list(look.connection.client, { limit, ...from });
    },

    async compareOne(look, id) {
      const found = await look.ask(name, () => retrieve(look, id));
      if (found !== null) return await compare(look, found);
      const stored = await objects.storedIn(look.db, look.connection.id, id);
      if (stored === undefined || stored.deleted) return { status: 'in_sync' };
      const { project_id: projectId, updated_at: since } = stored;
      const fields = [{ field: 'deleted', before: false, after: true }];
      return { status: 'drift', drift: { kind: 'missing_in_stripe', projectId, customerId: null, fields, since } };
    },

    async unmet({ db, connection, scope }, { since, after, limit }) {
      let query = db
        .selectFrom(table)
        .select('id')
        .where('connection_id', '=', connection.id)
        .where('deleted', '=', false)
        .where('id', '>', after)
        .where(notSeen(connection.id, name, `${table}.id`, since))
        .orderBy('id')
        .limit(limit);
      if (scope.projectId !== null) query = query.where('project_id', '=', scope.projectId);
      return (await query.execute()).map(({ id }) => id);
    },
  };
}

function sameColumns(row: object, columns: object): object {
  return Object.fromEntries(Object.entries(row).filter(([column]) => Object.hasOwn(columns, column)));
}
