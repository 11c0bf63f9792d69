import type { Work } from './work.ts';

/** Those of the Stripe customers that are linked to a customer of the project. */
export async function linkedAmong(
  { db, connection, projectId }: Work,
  stripeCustomers: readonly (string | null)[],
): Promise<Set<string>> {
  const ids = stripeCustomers.filter((id) => id !== null);
  const rows = await db
    .selectFrom('tollgate.customers')
    .select('stripe_customer_id')
    .where('connection_id', '=', connection.id)
    .where('project_id', '=', projectId)
    .where((of) => of('stripe_customer_id', '=', of.fn.any(of.val(ids))))
    .execute();
  return new Set(rows.flatMap(({ stripe_customer_id: id }) => id ?? []));
}
