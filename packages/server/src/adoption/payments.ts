import { completeInvoice, type FetchedInvoice, INVOICE_EXPANSION } from '../mirror/fetch-invoice.ts';
import { type OwnedPayments, recordInvoicePayments } from '../mirror/record-invoice-payments.ts';
import { holdObjects } from '../mirror/sequence.ts';
import type { Tx } from '../platform/database.ts';
import type { Stripe } from '../stripe/types.ts';
import { type PageReport, type Place, saveProgress } from './progress.ts';
import { readEach } from './readable.ts';
import type { Begun, Work } from './work.ts';

export async function listPaidInvoices({ connection, ask, pageSize }: Begun, after: string | null) {
  return await ask('invoice', () =>
    connection.client.invoices.list({
      status: 'paid',
      limit: pageSize,
      expand: [`data.${INVOICE_EXPANSION}`],
      ...(after === null ? {} : { starting_after: after }),
    }),
  );
}

/**
 * A page of paid invoices: the ledger gets what was paid for the project's subscriptions before they were imported. It
 * changes no access, so that a dry run has nothing to say of it. @returns the import as it is afterwards
 */
export async function importPayments(work: Work, page: readonly Stripe.Invoice[], place: Place) {
  const { db, clock, connection, row } = work;
  if (row.dry_run) return await saveProgress(db, row, NOTHING, { place, now: clock.now() });
  const { read, failed, parked } = await readEach(work, 'invoice', page, (invoice) => complete(work, invoice));
  const report: PageReport = { counted: { failed }, gains: [], parked };
  const paid = read.flatMap(({ subscriptionId, shares }) =>
    subscriptionId === null ? [] : [{ subscriptionId, shares }],
  );
  return await db.transaction().execute(async (tx) => {
    const owners = await ownersOf(
      tx,
      work,
      paid.map(({ subscriptionId }) => subscriptionId),
    );
    const owned = paid.flatMap(({ subscriptionId, shares }): OwnedPayments[] => {
      const customerId = owners.get(subscriptionId);
      return customerId === undefined ? [] : [{ projectId: work.projectId, customerId, payments: shares }];
    });
    await recordInvoicePayments(tx, connection.id, owned);
    return await saveProgress(tx, row, report, { place, now: clock.now() });
  });
}

const NOTHING: PageReport = { counted: {}, gains: [], parked: [] };

async function complete({ connection, ask }: Work, invoice: Stripe.Invoice): Promise<FetchedInvoice> {
  const whole = invoice.payments?.has_more !== true;
  const fetch = () => completeInvoice(connection, invoice);
  return whole ? await fetch() : await ask('invoice', fetch);
}

/** Who has the project's subscriptions, and keeps them until the transaction ends. */
async function ownersOf(tx: Tx, { connection, projectId }: Work, subscriptions: readonly string[]) {
  await holdObjects(tx, connection.id, subscriptions);
  const rows = await tx
    .selectFrom('tollgate.facts')
    .select(['object_id', 'customer_id'])
    .where('project_id', '=', projectId)
    .where('kind', '=', 'subscription')
    .where((of) => of('object_id', '=', of.fn.any(of.val([...subscriptions]))))
    .execute();
  return new Map(rows.map(({ object_id, customer_id }) => [object_id, customer_id]));
}
