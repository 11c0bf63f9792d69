import { sql } from 'kysely';
import type { Database } from '../platform/database.ts';
import type { RunRow } from './start-run.ts';

/**
 * Counts what there is to look at, as far as it is known here, so that the run's progress can be told in per cent.
 * @returns the run with its `expected`
 */
export async function countExpected(db: Database, run: RunRow, connectionIds: readonly string[]): Promise<RunRow> {
  const { project_id: projectId, customer_id: customerId } = run;
  const within = sql`project.connection_id = any(${[...connectionIds]}) and (${projectId}::text is null or project.id = ${projectId})`;
  const ofCustomer = sql`(${customerId}::text is null or customer_id = ${customerId})`;
  const { rows } = await sql<{ expected: number }>`
    update tollgate.reconciliation_runs set expected = (
      select count(*) from tollgate.projects project, tollgate.facts fact
       where ${within} and fact.project_id = project.id and fact.kind in ('subscription', 'purchase', 'invoice_payment') and ${ofCustomer}
    ) + (
      select count(*) from tollgate.projects project, tollgate.customers customer
       where ${within} and customer.project_id = project.id and customer.stripe_customer_id is not null
         and (${customerId}::text is null or customer.id = ${customerId})
    ) + (
      select case when ${customerId}::text is null then count(*) else 0 end
        from tollgate.projects project, tollgate.products product
       where ${within} and product.project_id = project.id and not product.deleted
    ) + (
      select case when ${customerId}::text is null then count(*) else 0 end
        from tollgate.projects project, tollgate.prices price
       where ${within} and price.project_id = project.id and not price.deleted
    ) + (
      select count(*) from tollgate.projects project, tollgate.facts fact
       where ${within} and fact.project_id = project.id and ${ofCustomer}
    ) + (
      select count(*) from tollgate.projects project, tollgate.customers customer
       where ${within} and customer.project_id = project.id and (${customerId}::text is null or customer.id = ${customerId})
    ) where id = ${run.id} returning expected`.execute(db);
  return { ...run, expected: rows[0]?.expected ?? 0 };
}
