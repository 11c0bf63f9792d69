import type { Queryable } from '../platform/database.ts';
import { isWhereItWas, Overtaken } from '../platform/long-work.ts';
import type { ImportRow } from './start-import.ts';

/**
 * The parts of an import, in order: products say whose everything else is, a subscription whose the money is that came or went
 * back, who buys, what else is theirs, and of several Stripe customers of one person the one that pays is met before those
 * that never bought anything.
 */
export const STEPS = [
  'products',
  'subscriptions',
  'payments',
  'purchases',
  'other_subscriptions',
  'other_purchases',
  'money_back',
  'customers',
] as const;
export type StepName = (typeof STEPS)[number];

/** Where an import goes on. */
export interface Place {
  step: StepName;
  /** The last object of the last page that was done with; null: from the start. */
  after: string | null;
}

/** What an import has counted. */
export interface Counts {
  /** Objects in Stripe's lists. */
  products: number;
  subscriptions: number;
  purchases: number;
  /** Payments of subscriptions' invoices that were refunded or disputed. */
  money_back: number;
  customers: number;
  /** Stripe customers that are linked to a customer of the project now, or would be. */
  linked: number;
  /** Stripe customers that are not taken; listed, with the reason, with what is parked. */
  skipped: number;
  /** Facts that are known now and were not, or that would be. */
  applied: number;
  /** What was known already. */
  unchanged: number;
  /** Of another project or installation, or of a product that is not imported: left alone. */
  elsewhere: number;
  parked: number;
  /** What could not be read; listed with what is parked. */
  failed: number;
}

export const NO_COUNTS: Counts = {
  products: 0,
  subscriptions: 0,
  purchases: 0,
  money_back: 0,
  customers: 0,
  linked: 0,
  skipped: 0,
  applied: 0,
  unchanged: 0,
  elsewhere: 0,
  parked: 0,
  failed: 0,
};

/** What a page came to. */
export interface PageReport {
  counted: Partial<Counts>;
  /** By the app's own ids. */
  gains: readonly { externalId: string; features: readonly string[] }[];
  /** Whose money went back, with all that they are entitled to now: whatever else they had gained they have lost. */
  left?: readonly { externalId: string; features: readonly string[] }[];
  parked: readonly { type: string; id: string; reason: string }[];
}

/**
 * Writes down what came of a page, or of a part of it.
 * @param place - where the import goes on; null: where it was, since the page is not done with
 * @returns the import as it is now
 * @throws Overtaken when it has moved since `row` was read
 */
export async function saveProgress(
  tx: Queryable,
  row: ImportRow,
  { counted, gains, left = [], parked }: PageReport,
  { place, now }: { place: Place | null; now: number },
): Promise<ImportRow> {
  const counts = countsOf(row);
  for (const [name, more] of Object.entries(counted)) counts[name as keyof Counts] += more;
  const saved = await tx
    .updateTable('tollgate.imports')
    .set({
      ...(place === null ? {} : { cursor: JSON.stringify(place) }),
      counts: JSON.stringify(counts),
      heartbeat_at: new Date(now),
    })
    .where('id', '=', row.id)
    .where(isWhereItWas(row))
    .returningAll()
    .executeTakeFirst();
  if (saved === undefined) throw new Overtaken(`The import ${row.id} is worked on elsewhere.`);
  const gained = gains.flatMap(({ externalId, features }) =>
    features.map((feature) => ({ import_id: row.id, external_id: externalId, feature })),
  );
  if (gained.length > 0) {
    await tx
      .insertInto('tollgate.import_gains')
      .values(gained)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
  for (const { externalId, features } of left) {
    await tx
      .deleteFrom('tollgate.import_gains')
      .where('import_id', '=', row.id)
      .where('external_id', '=', externalId)
      .where((of) => of('feature', '<>', of.fn<string>('all', [of.val([...features])])))
      .execute();
  }
  if (parked.length > 0) {
    await tx
      .insertInto('tollgate.import_parked')
      .values(parked.map(({ type, id, reason }) => ({ import_id: row.id, object_type: type, object_id: id, reason })))
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
  return saved;
}

export function placeOf({ cursor }: ImportRow): Place {
  const step = STEPS.find((name) => name === cursor?.step);
  return step === undefined ? { step: STEPS[0], after: null } : { step, after: cursor?.after ?? null };
}

export function countsOf({ counts }: ImportRow): Counts {
  return { ...NO_COUNTS, ...counts };
}
