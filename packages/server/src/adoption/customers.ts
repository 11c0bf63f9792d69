import { applyListedCustomers, type ListedCustomer } from '../mirror/apply-listed-customers.ts';
import { type Attribution, attributeBy } from '../mirror/attribute.ts';
import { type CustomerCopy, isCopyOld } from '../mirror/customer-copy.ts';
import { parseShape } from '../mirror/parse-shape.ts';
import { CustomerShape } from '../mirror/shapes.ts';
import { customerHints } from '../mirror/sync-customer.ts';
import { eachOf } from '../platform/each-of.ts';
import { SIDE_BY_SIDE } from '../stripe/manner.ts';
import type { Stripe } from '../stripe/types.ts';
import { needAlone } from './alone.ts';
import { type PageReport, type Place, saveProgress } from './progress.ts';
import { readEach } from './readable.ts';
import { syncOne } from './sync-one.ts';
import { type Begun, claimsOf, concerns, rulesOf, type Work } from './work.ts';

export async function listCustomers({ connection, ask, pageSize }: Begun, after: string | null) {
  const from = after === null ? {} : { starting_after: after };
  return await ask('customer', () => connection.client.customers.list({ limit: pageSize, ...from }));
}

/** Why a Stripe customer is not taken. */
type Skipped =
  /** Other projects are served through the account, or it has products that are not taken, and nothing says whose. */
  | 'account_shared'
  /** It lacks what the app's id is to be read from. */
  | 'customer_id_missing'
  /** What is there cannot be an app's id. */
  | 'customer_id_unusable'
  /** The customer has another Stripe customer already, such as the one that pays. */
  | 'linked_to_another';

/**
 * A page of Stripe customers. Those that bought something are linked by now; where everything in the account is the
 * project's the others are linked as well, so that their first checkout finds their cards. @returns the import as it is afterwards
 */
export async function importCustomers(work: Work, page: readonly Stripe.Customer[], place: Place) {
  const { db, clock, row } = work;
  const { fresh, changed, unowned, ...decided } = await decide(work, page);
  const counts: Record<string, number> = { ...decided.counts };
  const report: PageReport = { counted: counts, gains: [], parked: decided.parked };
  const skip = (id: string, reason: Skipped) => {
    counts.skipped = (counts.skipped ?? 0) + 1;
    decided.parked.push({ type: 'customer', id, reason });
  };
  if (row.dry_run) {
    counts.linked = (counts.linked ?? 0) + fresh.length;
    return await saveProgress(db, row, report, { place, now: clock.now() });
  }
  const { first, linked } = await db.transaction().execute(async (tx) => {
    await needAlone(tx, work);
    return await applyListedCustomers(tx, work.connection, work.projectId, fresh, clock.now());
  });
  counts.linked = (counts.linked ?? 0) + linked.size;
  for (const id of first) if (!linked.has(id)) skip(id, 'linked_to_another');
  // What somebody has looked at before is fetched by itself: the list may be older.
  const rules = await rulesOf(work);
  const seen = fresh.map(({ customer }) => customer.id).filter((id) => !first.has(id));
  await eachOf([...seen, ...changed, ...unowned], SIDE_BY_SIDE, async (id) => {
    work.signal.throwIfAborted();
    const { counted, parked } = await syncOne(work, { type: 'customer', id }, rules);
    if (!seen.includes(id)) return;
    const as = counted === 'applied' || counted === 'unchanged' ? 'linked' : counted;
    counts[as] = (counts[as] ?? 0) + 1;
    decided.parked.push(...parked);
  });
  return await saveProgress(db, row, report, { place, now: clock.now() });
}

interface Decided {
  counts: { customers: number; linked: number; skipped: number; elsewhere: number; parked: number; failed: number };
  parked: { type: string; id: string; reason: string }[];
  /** To be linked. */
  fresh: ListedCustomer[];
  /** The ids of those that are linked, and of which something else is known here. */
  changed: string[];
  /** The ids of those that nobody can say whose they are. */
  unowned: string[];
}

/** What becomes of each; nothing is written. */
async function decide(work: Work, page: readonly Stripe.Customer[]): Promise<Decided> {
  const { read: listed, failed, parked } = await readEach(work, 'customer', page, (one) => readListed(work, one));
  const counts = { customers: page.length, linked: 0, skipped: 0, elsewhere: 0, parked: 0, failed };
  const decided: Decided = { counts, parked, fresh: [], changed: [], unowned: [] };
  const claims = await claimsOf(
    work,
    work.db,
    listed.map(({ hints }) => hints),
    [],
  );
  const found: { one: ListedCustomer; attribution: Attribution }[] = [];
  for (const one of listed) {
    found.push({ one, attribution: await attributeBy(claims, work.connection.installation, one.hints) });
  }
  const rows = await knownRows(
    work,
    found.flatMap(({ attribution }) => (attribution.status === 'ours' ? [attribution.customerId] : [])),
  );
  const named = new Set<string>();
  for (const { one, attribution } of found) {
    const { id } = one.customer;
    const skip = (reason: Skipped) => {
      counts.skipped += 1;
      decided.parked.push({ type: 'customer', id, reason });
    };
    if (attribution.status === 'parked' && concerns(work, attribution)) {
      counts.parked += 1;
      decided.unowned.push(id);
      decided.parked.push({ type: 'customer', id, reason: attribution.reason });
    } else if (attribution.status === 'ignored' && attribution.reason === 'not_ours') skip(whyNobodys(one));
    else if (!('projectId' in attribution) || attribution.projectId !== work.projectId) counts.elsewhere += 1;
    else {
      const row = attribution.status === 'ours' ? rows.get(attribution.customerId) : undefined;
      const name = attribution.status === 'ours' ? attribution.customerId : attribution.externalId;
      if (row?.stripe_customer_id === id) {
        counts.linked += 1;
        if (isCopyOld(one.customer, row)) decided.changed.push(id);
      } else if ((row?.stripe_customer_id ?? null) !== null || named.has(name)) skip('linked_to_another');
      else if (!attribution.proven) skip('account_shared');
      else {
        named.add(name);
        decided.fresh.push(one);
      }
    }
  }
  return decided;
}

function readListed({ declared }: Work, given: Stripe.Customer): ListedCustomer {
  const customer = parseShape(CustomerShape, given, 'customer');
  return { customer, hints: customerHints(customer, declared(customer)) };
}

function whyNobodys({ hints: { declared } }: ListedCustomer): Skipped {
  if (declared?.takesUnclaimed !== true) return 'account_shared';
  return declared.externalId === null ? 'customer_id_missing' : 'customer_id_unusable';
}

interface Known extends CustomerCopy {
  stripe_customer_id: string | null;
}

async function knownRows({ db }: Work, ids: readonly string[]): Promise<Map<string, Known>> {
  const rows = await db
    .selectFrom('tollgate.customers')
    .select(['id', 'email', 'name', 'stripe_customer_id'])
    .where((of) => of('id', '=', of.fn.any(of.val([...ids]))))
    .execute();
  return new Map(rows.map((row) => [row.id, row]));
}
