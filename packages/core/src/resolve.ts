import type { Access } from './barred.ts';
import type {
  AccessPolicy,
  Catalog,
  Fact,
  Feature,
  FeatureTrace,
  InvoicePaymentFact,
  Mapping,
  SnapshotBody,
  SourceTrace,
  SourceType,
} from './model.ts';
import { grantAccess, purchaseAccess, subscriptionAccess } from './policy.ts';

/**
 * One customer's facts under a catalog and an access policy, as windows of access per feature.
 * Pure, with no "now" in it; the same facts in any order give the same result, to the byte.
 */
export function resolve(facts: readonly Fact[], catalog: Catalog, policy: AccessPolicy): SnapshotBody {
  const byFeature = new Map<string, SourceTrace[]>();
  const payments = facts.filter((fact) => fact.kind === 'invoice_payment');
  for (const fact of facts) {
    for (const [code, trace] of traces(fact, payments, catalog, policy)) {
      const feature = catalog.features[code];
      if (feature === undefined) continue;
      const list = byFeature.get(code);
      if (list === undefined) byFeature.set(code, [trace]);
      else list.push(trace);
    }
  }
  const features: Record<string, FeatureTrace> = {};
  for (const code of [...byFeature.keys()].sort()) {
    const { type, aggregation } = catalog.features[code] as Feature;
    features[code] = { feature: code, type, aggregation, sources: (byFeature.get(code) ?? []).sort(compareSources) };
  }
  return { features };
}

/** The mappings that hold for a price: its own, and its product's for every code that it does not name itself. */
function mappingsOf(catalog: Catalog, priceId: string, productId: string): { via: string; mapping: Mapping }[] {
  const own = catalog.prices[priceId] ?? [];
  const replaced = new Set(own.map((mapping) => mapping.code));
  const inherited = (catalog.products[productId] ?? []).filter((mapping) => !replaced.has(mapping.code));
  return [
    ...own.map((mapping) => ({ via: priceId, mapping })),
    ...inherited.map((mapping) => ({ via: productId, mapping })),
  ];
}

function* traces(
  fact: Fact,
  payments: readonly InvoicePaymentFact[],
  catalog: Catalog,
  policy: AccessPolicy,
): Generator<[string, SourceTrace]> {
  switch (fact.kind) {
    case 'subscription':
      for (const item of fact.items) {
        // Stripe keeps an item of which no unit is left; nothing is paid for it.
        if (item.quantity === 0) continue;
        const access = subscriptionAccess(fact, item, payments, policy);
        for (const { via, mapping } of mappingsOf(catalog, item.priceId, item.productId)) {
          yield [mapping.code, mappedTrace(fact, via, mapping, item.quantity ?? 1, access)];
        }
      }
      return;
    case 'purchase':
      for (const line of fact.lines) {
        for (const { via, mapping } of mappingsOf(catalog, line.priceId, line.productId)) {
          const access = purchaseAccess(fact, mapping.accessDays, policy);
          yield [mapping.code, mappedTrace(fact, via, mapping, line.quantity, access)];
        }
      }
      return;
    case 'invoice_payment':
      // It gives nothing: what it takes away, the subscription's own windows show.
      return;
    case 'grant': {
      const { feature, effect, value, unlimited } = fact;
      yield [feature, { type: 'grant', id: fact.id, via: null, effect, value, unlimited, ...grantAccess(fact) }];
      return;
    }
    default:
      fact satisfies never;
  }
}

function mappedTrace(
  fact: { kind: SourceType; id: string },
  via: string,
  mapping: Mapping,
  quantity: number,
  access: Access,
): SourceTrace {
  const units = mapping.perUnit ? quantity : 1;
  // Beyond it other languages read another number than was written.
  const value = mapping.value === null ? null : Math.min(mapping.value * units, Number.MAX_SAFE_INTEGER);
  return { type: fact.kind, id: fact.id, via, effect: 'allow', value, unlimited: mapping.unlimited, ...access };
}

/** A total order, so that the order in which facts came cannot show; equal traces are interchangeable. */
function compareSources(a: SourceTrace, b: SourceTrace): number {
  return (
    compareText(a.type, b.type) ||
    compareText(a.id, b.id) ||
    compareText(a.via ?? '', b.via ?? '') ||
    compareText(JSON.stringify(a), JSON.stringify(b))
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
