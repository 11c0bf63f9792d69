import { Type } from 'typebox';
import { auditContextOf } from '../audit/context.ts';
import { notFound } from '../platform/errors.ts';
import type { App } from '../platform/http/app.ts';
import { Closed, CustomerId, ListOf, ListQuery, Nullable, named, WithProject } from '../platform/http/schemas.ts';
import { requestedProject } from '../projects/requested-project.ts';
import { findCustomer } from './find.ts';
import { listCustomers } from './list.ts';
import { listPayments } from './list-payments.ts';
import { loadAccount } from './load-account.ts';
import { PaymentView, paymentView } from './payment-views.ts';
import { type CustomerDeps, putCustomer } from './put-customer.ts';
import { CustomerAccountView, CustomerView, customerAccountView, customerView } from './views.ts';

const read = { access: { scope: 'customers:read' } } as const;
const write = { access: { scope: 'customers:write' } } as const;

const Params = Closed({ customer_id: CustomerId });

const PutCustomerBody = named(
  'PutCustomerRequest',
  WithProject({
    email: Type.Optional(Nullable(Type.String({ maxLength: 512, pattern: '^[^\\s@]+@[^\\s@]+$' }))),
    name: Type.Optional(Nullable(Type.String({ minLength: 1, maxLength: 256, pattern: '\\S' }))),
    stripe_customer_id: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9_-]{1,255}$',
        description: 'An existing Stripe customer (`cus_…`) to link; it cannot be unlinked while it exists.',
      }),
    ),
  }),
);

/** The app's customers over HTTP. */
export function registerCustomersRoutes(app: App, deps: CustomerDeps): void {
  app.get(
    '/api/v1/customers',
    {
      config: read,
      schema: {
        tags: ['Customers'],
        summary: 'List customers',
        description: 'Newest first, without what they bought.',
        querystring: WithProject(ListQuery),
        response: { 200: ListOf(CustomerView) },
      },
    },
    async (request) => {
      const found = await listCustomers(deps.db, await requestedProject(request, deps.db), request.query);
      return { ...found, data: found.data.map(customerView) };
    },
  );

  app.get(
    '/api/v1/customers/:customer_id',
    {
      config: read,
      schema: {
        tags: ['Customers'],
        summary: 'Get a customer',
        description: 'With subscriptions, purchases and grants.',
        params: Params,
        querystring: WithProject({}),
        response: { 200: CustomerAccountView },
      },
    },
    async (request) => {
      const projectId = await requestedProject(request, deps.db);
      const row = await findCustomer(deps.db, projectId, request.params.customer_id);
      if (row === undefined) throw notFound('customer');
      return customerAccountView(row, await loadAccount(deps.db, row.id));
    },
  );

  app.get(
    '/api/v1/customers/:customer_id/payments',
    {
      config: read,
      schema: {
        tags: ['Customers'],
        summary: "List a customer's payments",
        description:
          'The ledger, newest first: payments of purchases and of subscriptions’ invoices that went through, each with its refunds, its disputes and what it paid for.',
        params: Params,
        querystring: WithProject(ListQuery),
        response: { 200: ListOf(PaymentView) },
      },
    },
    async (request) => {
      const projectId = await requestedProject(request, deps.db);
      const row = await findCustomer(deps.db, projectId, request.params.customer_id);
      if (row === undefined) throw notFound('customer');
      const found = await listPayments(deps.db, row.id, request.query);
      return { ...found, data: found.data.map(paymentView) };
    },
  );

  app.put(
    '/api/v1/customers/:customer_id',
    {
      config: write,
      schema: {
        tags: ['Customers'],
        summary: 'Create or update a customer',
        description:
          'Fields that are left out stay as they are. With stripe_customer_id an existing Stripe customer is linked; its subscriptions and payments are brought in, in the background.',
        params: Params,
        body: PutCustomerBody,
        response: { 200: CustomerAccountView },
      },
    },
    async (request) => {
      const { email, name, stripe_customer_id: stripeCustomerId } = request.body;
      const projectId = await requestedProject(request, deps.db);
      const input = { projectId, externalId: request.params.customer_id, email, name, stripeCustomerId };
      const row = await putCustomer(deps, input, auditContextOf(request));
      return customerAccountView(row, await loadAccount(deps.db, row.id));
    },
  );
}
