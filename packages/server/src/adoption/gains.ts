import { type AccessPolicy, type Catalog, evaluate, type Fact, resolve } from '@tollgate/core';
import { loadFactsOf } from '../facts/load-facts.ts';
import type { Queryable } from '../platform/database.ts';
import type { PageReport } from './progress.ts';

/** What turns facts into access while an import looks at a page. */
export interface Rules {
  catalog: Catalog;
  policy: AccessPolicy;
}

/** The features that somebody is entitled to with the facts after, and not with those before. Pure. */
function gainOf(before: readonly Fact[], after: readonly Fact[], rules: Rules, now: number): string[] {
  const had = entitledTo(before, rules, now);
  return [...entitledTo(after, rules, now)].filter((feature) => !had.has(feature));
}

function entitledTo(facts: readonly Fact[], { catalog, policy }: Rules, now: number): Set<string> {
  if (facts.length === 0) return new Set();
  const { features } = evaluate(resolve(facts, catalog, policy), now);
  return new Set(Object.values(features).flatMap(({ feature, entitled }) => (entitled ? [feature] : [])));
}

/** What customers have gained by facts that were saved just now. */
export async function gainsBySaved(
  db: Queryable,
  customers: readonly { id: string; external_id: string }[],
  saved: ReadonlySet<string>,
  rules: Rules,
  now: number,
): Promise<PageReport['gains']> {
  if (customers.length === 0) return [];
  const facts = await loadFactsOf(
    db,
    customers.map(({ id }) => id),
  );
  return customers.map(({ id, external_id: externalId }) => {
    const after = facts.get(id) ?? [];
    const before = after.filter((fact) => !saved.has(fact.id));
    return { externalId, features: gainOf(before, after, rules, now) };
  });
}

/** All that customers are entitled to. */
export async function entitledOf(
  db: Queryable,
  customers: readonly { id: string; external_id: string }[],
  rules: Rules,
  now: number,
): Promise<{ externalId: string; features: string[] }[]> {
  if (customers.length === 0) return [];
  const facts = await loadFactsOf(
    db,
    customers.map(({ id }) => id),
  );
  return customers.map(({ id, external_id: externalId }) => ({
    externalId,
    features: [...entitledTo(facts.get(id) ?? [], rules, now)],
  }));
}

/** What they would gain by facts that nobody saves. */
export async function gainsByListed(
  db: Queryable,
  projectId: string,
  listed: readonly { externalId: string; fact: Fact }[],
  rules: Rules,
  now: number,
): Promise<PageReport['gains']> {
  if (listed.length === 0) return [];
  const byCustomer = Map.groupBy(listed, ({ externalId }) => externalId);
  const rows = await db
    .selectFrom('tollgate.customers')
    .select(['id', 'external_id'])
    .where('project_id', '=', projectId)
    .where((of) => of('external_id', '=', of.fn.any(of.val([...byCustomer.keys()]))))
    .execute();
  const facts =
    rows.length === 0
      ? new Map<string, Fact[]>()
      : await loadFactsOf(
          db,
          rows.map(({ id }) => id),
        );
  const idOf = new Map(rows.map((row) => [row.external_id, row.id]));
  return [...byCustomer].map(([externalId, more]) => {
    const before = facts.get(idOf.get(externalId) ?? '') ?? [];
    const fresh = more.map(({ fact }) => fact);
    const after = [...before.filter((fact) => fresh.every(({ id }) => id !== fact.id)), ...fresh];
    return { externalId, features: gainOf(before, after, rules, now) };
  });
}
