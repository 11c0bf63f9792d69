import { type ObjectRef, syncObject } from '../mirror/sync-object.ts';
import { asOfNow } from './alone.ts';
import { gainsBySaved, type Rules } from './gains.ts';
import type { Counts, PageReport } from './progress.ts';
import { readable } from './readable.ts';
import type { Work } from './work.ts';

/** At whose pace an object is fetched. */
const ENDPOINTS = {
  subscription: 'subscription',
  invoice: 'invoice',
  payment: 'purchase',
  checkout_session: 'purchase',
  customer: 'customer',
  product: 'product',
  price: 'price',
} as const satisfies Record<ObjectRef['type'], string>;

export interface SyncedOne extends Pick<PageReport, 'gains' | 'parked'> {
  counted: keyof Counts;
}

/** An object that is fetched by itself, as its webhook would have it, with what the import declares of its customer. */
export async function syncOne(
  work: Work,
  ref: ObjectRef,
  rules: Rules,
  kept: readonly string[] = [ref.id],
): Promise<SyncedOne> {
  return await readable(work, ref, () => syncReadable(work, ref, rules, kept));
}

async function syncReadable(work: Work, ref: ObjectRef, rules: Rules, kept: readonly string[]): Promise<SyncedOne> {
  const { connection, row } = work;
  const { declared } = await asOfNow(work);
  const cause = { type: 'import', id: row.id } as const;
  const request = { connectionId: connection.id, ref, cause, declared };
  const result = await work.ask(ENDPOINTS[ref.type], () => syncObject(work, request));
  switch (result.status) {
    case 'applied': {
      const customers = await work.db
        .selectFrom('tollgate.customers')
        .select(['id', 'external_id'])
        .where('id', '=', result.customerId)
        .execute();
      return {
        counted: 'applied',
        gains: await gainsBySaved(work.db, customers, new Set(kept), rules, work.clock.now()),
        parked: [],
      };
    }
    case 'unchanged':
    case 'stale':
      return { counted: 'unchanged', gains: [], parked: [] };
    case 'ignored':
      return { counted: 'elsewhere', gains: [], parked: [] };
    case 'parked':
      return { counted: 'parked', gains: [], parked: [{ ...ref, reason: result.reason ?? 'unknown' }] };
    default:
      return result.status satisfies never;
  }
}
