import { noteBalance } from '../billing/customer-balance.ts';
import { invalidRequest, missing } from '../errors.ts';
import { change } from '../events.ts';
import { listShape, pageOf } from '../lists.ts';
import type { CustomerBalanceTransaction } from '../model.ts';
import { clearable, integer, mergeMetadata, metadata, optional, required, text } from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';

function need(world: World, customer: string, id: string): CustomerBalanceTransaction {
  const entry = world.store.get('customer_balance_transaction', id);
  if (entry === undefined || entry.customer !== customer) throw missing('customer_balance_transaction', id);
  return entry;
}

/** What a customer is owed or owes, and how it came to that. */
export const customerBalanceRoutes = [
  route(
    'POST',
    '/customers/:id/balance_transactions',
    { amount: required(integer), currency: required(text), description: optional(text), metadata: optional(metadata) },
    (world, params, id) => {
      const customer = world.need('customer', id);
      const currency = params.currency.toLowerCase();
      if (customer.currency !== null && customer.currency !== currency) {
        throw invalidRequest(`The customer's currency is ${customer.currency}, not ${currency}.`, {
          param: 'currency',
        });
      }
      const entry = noteBalance(world, customer, {
        amount: params.amount,
        endingBalance: customer.balance + params.amount,
        currency,
        type: 'adjustment',
        description: params.description,
      });
      entry.metadata = mergeMetadata({}, params.metadata);
      change(world, customer, 'customer.updated', () => {
        customer.balance += params.amount;
        customer.currency ??= currency;
      });
      return entry;
    },
  ),
  route(
    'GET',
    '/customers/:id/balance_transactions',
    { ...listShape, invoice: optional(text) },
    (world, params, id) => {
      world.need('customer', id);
      return pageOf(world.store, 'customer_balance_transaction', params, {
        url: `/v1/customers/${id}/balance_transactions`,
        by: { key: 'customer', value: id },
        keep: (entry) => params.invoice === undefined || entry.invoice === params.invoice,
      });
    },
  ),
  route('GET', '/customers/:id/balance_transactions/:entry', {}, (world, _params, id, entry) => need(world, id, entry)),
  route(
    'POST',
    '/customers/:id/balance_transactions/:entry',
    { description: optional(clearable(text)), metadata: optional(metadata) },
    (world, params, id, entryId) => {
      const entry = need(world, id, entryId);
      entry.metadata = mergeMetadata(entry.metadata, params.metadata);
      if (params.description !== undefined) entry.description = params.description;
      return entry;
    },
  ),
];
