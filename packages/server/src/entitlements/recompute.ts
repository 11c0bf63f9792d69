import { diffSnapshots, resolve, type SnapshotBody } from '@tollgate/core';
import { lockCustomer } from '../customers/lock.ts';
import type { Cause } from '../facts/cause.ts';
import { loadFactsOf } from '../facts/load-facts.ts';
import { canonicalJson } from '../platform/canonical-json.ts';
import type { Tx } from '../platform/database.ts';
import { announcePassed } from './announce-passed.ts';
import { type Rules, readRules } from './rules.ts';
import { saveSnapshots } from './save-snapshots.ts';

export interface Recomputation {
  /** Tollgate's own `cust_…`. */
  customerId: string;
  cause: Cause;
  /** Epoch milliseconds: when the change is recorded, and the moment at which "what changed" is asked. */
  now: number;
}

export interface Recomputed {
  /** The customer's version afterwards; 0 while there has never been anything to know. */
  version: number;
  changed: boolean;
}

/**
 * Works out the customer's snapshot again, and saves it as a new version if it says anything new. In the caller's
 * transaction, with the customer locked from here to its end; whoever caches snapshots hears of it with the commit.
 * @throws Error when there is no such customer
 */
export async function recomputeCustomer(tx: Tx, { customerId, cause, now }: Recomputation): Promise<Recomputed> {
  const customer = await lockCustomer(tx, customerId);
  const rules = await readRules(tx, customer.project_id);
  const results = await recomputeLocked(tx, rules, [customer], cause, now);
  return results.get(customerId) ?? { version: 0, changed: false };
}

const EMPTY: SnapshotBody = { features: {} };

/**
 * The same for several customers of one project, whose rows the caller has locked.
 * @returns by the customers' `cust_…` ids
 */
export async function recomputeLocked(
  tx: Tx,
  rules: Rules,
  customers: readonly { id: string; external_id: string }[],
  cause: Cause,
  now: number,
): Promise<Map<string, Recomputed>> {
  const facts = await loadFactsOf(
    tx,
    customers.map((customer) => customer.id),
  );
  const rows = await tx
    .selectFrom('tollgate.snapshots')
    .select(['project_id', 'customer_id', 'external_id', 'version', 'body', 'recorded_at', 'next_change_at'])
    .where('project_id', '=', rules.projectId)
    .where(
      'external_id',
      'in',
      customers.map((customer) => customer.external_id),
    )
    .execute();
  const stored = new Map(rows.map((row) => [row.external_id, row]));

  const results = new Map<string, Recomputed>();
  const fresh: Parameters<typeof saveSnapshots>[1][number][] = [];
  for (const customer of customers) {
    const before = stored.get(customer.external_id);
    const was = before?.body ?? EMPTY;
    const is = resolve(facts.get(customer.id) ?? [], rules.catalog, rules.policy);
    const version = before?.version ?? 0;
    if (canonicalJson(was) === canonicalJson(is)) {
      results.set(customer.id, { version, changed: false });
      continue;
    }
    results.set(customer.id, { version: version + 1, changed: true });
    fresh.push({
      projectId: rules.projectId,
      customerId: customer.id,
      externalId: customer.external_id,
      version: version + 1,
      body: is,
      cause,
      changes: diffSnapshots(was, is, now),
      // Whoever waited for the lock may carry an older "now" than the one who had it: versions never go back in time.
      recordedAt: new Date(Math.max(now, before?.recorded_at.getTime() ?? 0)),
    });
  }
  const replaced = new Set(fresh.map(({ externalId }) => externalId));
  await announcePassed(
    tx,
    rows.filter(({ external_id }) => replaced.has(external_id)),
    now,
  );
  await saveSnapshots(tx, fresh);
  return results;
}
