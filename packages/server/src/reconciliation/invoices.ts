import { completeInvoice, type FetchedInvoice, fetchInvoice, INVOICE_EXPANSION } from '../mirror/fetch-invoice.ts';
import { subscriptionOf } from '../mirror/fetch-invoice-payment.ts';
import { invoicePaymentRecords } from '../mirror/record-invoice-payments.ts';
import type { Stripe } from '../stripe/types.ts';
import { comparedUntil } from './compared-until.ts';
import { fieldChanges } from './field-changes.ts';
import type { Kind, Look, Shelf, StripePage, Verdict } from './kind.ts';
import { holds, ledgerRows, paymentIdsOf, shownEntry } from './ledger-rows.ts';
import { customerFilter } from './scope-filter.ts';
import { storedFact, storedFacts } from './stored-facts.ts';
import { outOfScope } from './verdicts.ts';

/**
 * In the order in which an invoice goes through them, so that one which moves on while they are listed is met all the
 * same: what is not paid yet first, and remembered; what is paid last.
 */
const STATUSES = ['draft', 'open', 'uncollectible', 'paid'] as const;
type ListedStatus = (typeof STATUSES)[number];
const OWED: ReadonlySet<string | null> = new Set(STATUSES.filter((status) => status !== 'paid'));

/** An invoice as a list shows it. Its `id` says in which list the next page goes on. */
interface Listed {
  id: string;
  invoice: Stripe.Invoice;
}

/**
 * The invoices of subscriptions that are known, and their payments in the ledger. Those of a subscription that is not
 * known yet come along with it.
 *
 * A run of everything reads the invoices that were made since the last one. An older one can only have been paid since if
 * it was owed then: those are remembered, and asked for one by one once no list shows them as owed any more.
 */
export const invoices: Kind<Listed> = {
  name: 'invoice',
  refOf: (id) => ({ type: 'invoice', id }),
  storedId: ({ invoice }) => (subscriptionOf(invoice) === null ? null : (invoice.id ?? null)),

  async list(look, { limit, startingAfter }) {
    const customer = await customerFilter(look);
    if (customer === 'nobody') return { data: [], has_more: false };
    const since = customer.customer === undefined ? await comparedUntil(look) : null;
    const begun = startingAfter === undefined ? [] : startingAfter.split(' ');
    let [status, after] = [(begun[0] ?? STATUSES[0]) as ListedStatus, begun[1]];
    for (;;) {
      const page = await look.connection.client.invoices.list({
        ...customer,
        status,
        limit,
        expand: [`data.${INVOICE_EXPANSION}`],
        ...(status === 'paid' && since !== null ? { created: { gte: Math.floor(since / 1000) } } : {}),
        ...(after === undefined ? {} : { starting_after: after }),
      });
      const next = STATUSES[STATUSES.indexOf(status) + 1];
      if (page.data.length > 0 || next === undefined) return listedAs(status, page, next !== undefined);
      [status, after] = [next, undefined];
    }
  },

  async shelve(look, listed) {
    const ids = listed.map(({ invoice }) => subscriptionOf(invoice)).filter((id) => id !== null);
    const stored = Map.groupBy(await storedFacts(look, 'subscription', ids), ({ id }) => id);
    const payments = listed.flatMap(({ invoice }) => paymentIdsOf(invoice));
    return {
      facts: new Map(ids.map((id) => [id, stored.get(id) ?? []])),
      ledger: await ledgerRows(look, payments),
    } satisfies Shelf;
  },

  async compare(look, { invoice }) {
    const complete = () => completeInvoice(look.connection, invoice);
    const whole = invoice.payments?.has_more !== true;
    return await compareFetched(look, whole ? await complete() : await look.ask('invoice', complete));
  },

  async compareOne(look, id) {
    const fetched = await look.ask('invoice', () => fetchInvoice(look.connection, id));
    // A draft can be deleted: nothing was paid of it.
    return fetched === null ? { status: 'in_sync', over: true } : await compareFetched(look, fetched);
  },

  /** Those that were owed when they were last looked at. */
  async unmet({ db, connection, scope }, { since, after, limit }) {
    // All invoices of a customer are in the list.
    if (scope.customerId !== null) return [];
    const rows = await db
      .selectFrom('tollgate.reconciliation_seen')
      .select('object_id')
      .where('connection_id', '=', connection.id)
      .where('object_type', '=', 'invoice')
      .where('object_id', '>', after)
      .where('seen_at', '<', since)
      .orderBy('object_id')
      .limit(limit)
      .execute();
    return rows.map(({ object_id }) => object_id);
  },
};

function listedAs(status: ListedStatus, page: StripePage<Stripe.Invoice>, isMoreToCome: boolean): StripePage<Listed> {
  return {
    data: page.data.map((invoice) => ({ id: `${status} ${invoice.id}`, invoice })),
    has_more: page.has_more || isMoreToCome,
  };
}

async function compareFetched(look: Look, fetched: FetchedInvoice): Promise<Verdict> {
  const { subscriptionId, status, shares } = fetched;
  if (subscriptionId === null) return { status: 'ignored' };
  const owner = await storedFact(look, 'subscription', subscriptionId);
  if (owner === undefined) return { status: 'ignored' };
  const { projectId, customerId } = owner;
  if (outOfScope(look.scope, owner)) return { status: 'out_of_scope' };
  const paid = invoicePaymentRecords([{ projectId, customerId, payments: shares }]);
  const rows =
    look.shelf?.ledger ??
    (await ledgerRows(
      look,
      paid.map(({ id }) => id),
    ));
  const wrong = paid.filter((record) => !holds(rows.get(record.id), record));
  const [first] = wrong;
  if (first === undefined) return { status: 'in_sync', over: !OWED.has(status) };
  const missing = wrong.every(({ id }) => !rows.has(id));
  const before = wrong.map(({ id }) => shownEntry(rows.get(id)));
  const drift = {
    kind: missing ? 'missing_locally' : 'different',
    projectId,
    customerId,
    fields: fieldChanges(before, wrong.map(shownEntry)),
    since: null,
    changedAt: first.paidAt === null ? null : new Date(first.paidAt),
    toldTo: subscriptionId,
  } as const;
  return { status: 'drift', drift };
}
