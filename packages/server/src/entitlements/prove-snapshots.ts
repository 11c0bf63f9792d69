import { resolve, type SnapshotBody } from '@tollgate/core';
import { loadFactsOf } from '../facts/load-facts.ts';
import { canonicalJson } from '../platform/canonical-json.ts';
import type { Database } from '../platform/database.ts';
import { type Rules, readRules } from './rules.ts';

export interface ProofPage {
  connectionId: string;
  projectId: string | null;
  /** Tollgate's own `cust_…`; null: every customer. */
  customerId: string | null;
  /** The last customer of the page before; '' for the first page. */
  after: string;
  limit: number;
}

/** A customer whose stored snapshot is not what its facts give. */
export interface WrongSnapshot {
  projectId: string;
  customerId: string;
  stored: SnapshotBody;
  computed: SnapshotBody;
}

/**
 * Works out the snapshots of a page of customers again, from one moment's view of the database, and tells which are not
 * what is stored. Customers of a project whose rules have just changed are left to the recomputation that is under way.
 * @param known - rules by project, kept from page to page
 * @returns whom it looked at, in order, and who is wrong
 */
export async function proveSnapshots(
  db: Database,
  { connectionId, projectId, customerId, after, limit }: ProofPage,
  known: Map<string, Rules>,
): Promise<{ customerIds: string[]; wrong: WrongSnapshot[] }> {
  return await db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async (tx) => {
      let query = tx
        .selectFrom('tollgate.customers as customer')
        .innerJoin('tollgate.projects as project', 'project.id', 'customer.project_id')
        .leftJoin('tollgate.snapshots as snapshot', (join) =>
          join
            .onRef('snapshot.project_id', '=', 'customer.project_id')
            .onRef('snapshot.external_id', '=', 'customer.external_id'),
        )
        .where('project.connection_id', '=', connectionId)
        .where('customer.id', '>', after)
        .orderBy('customer.id')
        .limit(limit)
        .select(['customer.id', 'customer.project_id', 'snapshot.body']);
      if (projectId !== null) query = query.where('customer.project_id', '=', projectId);
      if (customerId !== null) query = query.where('customer.id', '=', customerId);
      const customers = await query.execute();
      if (customers.length === 0) return { customerIds: [], wrong: [] };
      const facts = await loadFactsOf(
        tx,
        customers.map(({ id }) => id),
      );
      const pending = await tx
        .selectFrom('tollgate.recomputations')
        .select('project_id')
        .where('status', '<>', 'completed')
        .execute();
      const changing = new Set(pending.map(({ project_id }) => project_id));
      for (const id of new Set(customers.map(({ project_id }) => project_id))) {
        known.set(id, await readRules(tx, id, known.get(id)));
      }
      const wrong: WrongSnapshot[] = [];
      for (const { id, project_id, body } of customers) {
        const rules = known.get(project_id);
        if (rules === undefined || changing.has(project_id)) continue;
        const stored = body ?? { features: {} };
        const computed = resolve(facts.get(id) ?? [], rules.catalog, rules.policy);
        if (canonicalJson(stored) !== canonicalJson(computed)) {
          wrong.push({ projectId: project_id, customerId: id, stored, computed });
        }
      }
      return { customerIds: customers.map(({ id }) => id), wrong };
    });
}
