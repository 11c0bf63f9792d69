/** Imports as the API shows them. */
import { type Static, Type } from 'typebox';
import { MappingInputs } from '../catalog/mapping-inputs.ts';
import { Closed, Nullable, named, OneOf, Timestamp } from '../platform/http/schemas.ts';
import type { GainedCustomer, ImportWithGains, ParkedByImport } from './find-imports.ts';
import { countsOf, placeOf, STEPS } from './progress.ts';

const STATUSES = ['queued', 'running', 'completed', 'failed'] as const;

export const ProductsToImport = Type.Union([
  Type.Literal('all', { description: "Every product that is nobody else's." }),
  Type.Array(
    Closed({
      product: Type.String({ pattern: '^[A-Za-z0-9_.-]{1,255}$', description: "Stripe's `prod_…`." }),
      features: Type.Optional(MappingInputs),
    }),
    { minItems: 1, maxItems: 1000 },
  ),
]);

export const CustomerIdFrom = Type.String({
  pattern: '^(stripe_customer_id|email|metadata\\.[^\\p{Cc}]{1,40})$',
  description:
    "Where the app's own id of a customer is found in Stripe: `stripe_customer_id` (default), `email`, or `metadata.<key>` of the Stripe customer.",
});

export const ImportView = named(
  'Import',
  Closed({
    object: Type.Literal('import'),
    id: Type.String(),
    project_id: Type.String(),
    connection: Type.String(),
    status: OneOf(STATUSES, { description: '`completed` only when every step was gone through.' }),
    dry_run: Type.Boolean(),
    products: ProductsToImport,
    customer_id_from: Type.String(),
    reason: Type.String(),
    actor: Type.String(),
    progress: Closed({
      step: Nullable(OneOf(STEPS)),
      steps_done: Type.Integer(),
      steps_total: Type.Integer(),
    }),
    counts: Closed({
      products: Type.Integer({ description: 'Products that were met.' }),
      subscriptions: Type.Integer({ description: 'Subscriptions that were met, ended ones among them.' }),
      purchases: Type.Integer({
        description: 'Checkout sessions that were met in which something was bought once and for all.',
      }),
      money_back: Type.Integer({
        description: "Payments of subscriptions' invoices that were met and had been refunded or disputed.",
      }),
      customers: Type.Integer({ description: 'Stripe customers that were met.' }),
      linked: Type.Integer({
        description: 'Stripe customers that are linked to a customer of the project now, or would be.',
      }),
      skipped: Type.Integer({
        description:
          "Stripe customers that are not taken. Each is listed, with the reason, with what is parked. Of a dry run, where not everything in the account is the project's, also those that would be linked with what they bought.",
      }),
      applied: Type.Integer({
        description:
          'Subscriptions, purchases and payments with money back that are known now and were not, or that would be.',
      }),
      unchanged: Type.Integer({ description: 'What was known already.' }),
      elsewhere: Type.Integer({
        description:
          'Of another project or installation, or of a product that is not imported. Of a dry run also what a Stripe customer that would be linked bought of such a product: the import brings it, and it unlocks nothing.',
      }),
      parked: Type.Integer({ description: 'What nobody can be found for.' }),
      failed: Type.Integer({ description: 'What could not be understood.' }),
    }),
    entitled: Type.Array(Closed({ feature: Type.String(), customers: Type.Integer() }), {
      description: 'How many customers are entitled to what through it now, or would be.',
    }),
    error: Nullable(Type.String()),
    created_at: Timestamp,
    started_at: Nullable(Timestamp),
    heartbeat_at: Nullable(Timestamp),
    finished_at: Nullable(Timestamp),
  }),
);

export const GainView = named(
  'ImportedCustomer',
  Closed({
    object: Type.Literal('imported_customer'),
    customer_id: Type.String({ description: "The app's own id." }),
    features: Type.Array(Type.String(), { description: 'What they are entitled to and were not, or would be.' }),
  }),
);

export const ImportParkedView = named(
  'ImportParked',
  Closed({
    object: Type.Literal('import_parked'),
    object_type: Type.String(),
    object_id: Type.String({ description: "Stripe's id." }),
    reason: Type.String({
      description:
        'As of a parked object; `unreadable`: it could not be understood. Of a customer that is not taken `account_shared`, `customer_id_missing`, `customer_id_unusable` or `linked_to_another`.',
    }),
  }),
);

export function importView(row: ImportWithGains): Static<typeof ImportView> {
  const { step } = placeOf(row);
  const done = row.status === 'completed';
  return {
    object: 'import',
    id: row.id,
    project_id: row.project_id,
    connection: row.connection_id,
    status: row.status,
    dry_run: row.dry_run,
    products: row.request.products as Static<typeof ProductsToImport>,
    customer_id_from: row.request.customer_id_from,
    reason: row.reason,
    actor: row.actor,
    progress: {
      step: done || row.status === 'queued' ? null : step,
      steps_done: done ? STEPS.length : STEPS.indexOf(step),
      steps_total: STEPS.length,
    },
    counts: countsOf(row),
    entitled: row.entitled,
    error: row.error,
    created_at: row.created_at.toISOString(),
    started_at: row.started_at?.toISOString() ?? null,
    heartbeat_at: row.heartbeat_at?.toISOString() ?? null,
    finished_at: row.finished_at?.toISOString() ?? null,
  };
}

export function gainView({ external_id: customerId, features }: GainedCustomer): Static<typeof GainView> {
  return { object: 'imported_customer', customer_id: customerId, features };
}

export function importParkedView(row: ParkedByImport): Static<typeof ImportParkedView> {
  return { object: 'import_parked', ...row };
}
