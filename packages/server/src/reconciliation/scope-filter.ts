import type { Look } from './kind.ts';

/** How Stripe's lists are narrowed to the scope's customer: not at all, to one, or to `nobody` that Stripe knows. */
export async function customerFilter({ db, scope }: Look): Promise<{ customer?: string } | 'nobody'> {
  if (scope.customerId === null) return {};
  const row = await db
    .selectFrom('tollgate.customers')
    .select('stripe_customer_id')
    .where('id', '=', scope.customerId)
    .executeTakeFirst();
  return row?.stripe_customer_id ? { customer: row.stripe_customer_id } : 'nobody';
}
