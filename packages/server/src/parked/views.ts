/** Parked objects as operators see them. */
import { type Static, Type } from 'typebox';
import { CauseView } from '../entitlements/cause-view.ts';
import { EntitlementsView } from '../entitlements/views.ts';
import { Closed, Money, Nullable, named, OneOf, Timestamp } from '../platform/http/schemas.ts';
import type { ParkedRow } from './find-parked.ts';

export const PARKED_STATUSES = ['open', 'attached', 'resolved', 'gone', 'dismissed'] as const;
export const PARKED_TYPES = ['subscription', 'payment', 'checkout_session', 'customer', 'product', 'price'] as const;
const EVIDENCE = ['known', 'stamp', 'stripe_customer', 'catalog', 'client_reference_id'] as const;

const CandidateView = Closed({
  project_id: Nullable(Type.String()),
  customer_id: Nullable(
    Type.String({ description: "The app's own id; null where the evidence names a project only." }),
  ),
  evidence: OneOf(EVIDENCE, {
    description:
      '`known`: it is theirs already. `stamp`: metadata says so. `stripe_customer`: theirs is linked to it. `catalog`: they sell its price or product. `client_reference_id`: what the payer came with.',
  }),
});

export const ParkedView = named(
  'ParkedObject',
  Closed({
    object: Type.Literal('parked_object'),
    id: Type.String(),
    status: OneOf(PARKED_STATUSES, {
      description:
        '`attached`: by an operator. `resolved`: it became clear whose it is, or that it is nobody’s here. `gone`: Stripe has it no more. `dismissed`: an operator said that it is not ours.',
    }),
    reason: Type.String({ description: 'Why nobody could be found: `customer_unknown`, `customer_conflict`…' }),
    connection: Type.String(),
    object_type: OneOf(PARKED_TYPES),
    object_id: Type.String({ description: "Stripe's id; a payment's is its payment intent's." }),
    stripe_customer_id: Nullable(Type.String()),
    email_hint: Nullable(Type.String({ description: '`a…@example.com`' })),
    prices: Type.Array(Type.String()),
    products: Type.Array(Type.String()),
    amount: Nullable(Money),
    candidates: Type.Array(CandidateView, { description: 'Everyone whom some evidence names.' }),
    found_by: CauseView,
    tries: Type.Integer({ description: 'How often nobody could be found.' }),
    first_seen_at: Timestamp,
    last_tried_at: Timestamp,
    settled_at: Nullable(Timestamp),
    resolution: Nullable(Type.String({ description: 'Why it is open no more.' })),
    attached_to: Nullable(Closed({ project_id: Type.String(), customer_id: Type.String() })),
  }),
);

const SYNCS = ['applied', 'unchanged', 'stale', 'ignored', 'parked', 'pending'] as const;

export const AttachmentView = named(
  'Attachment',
  Closed({
    object: Type.Literal('attachment'),
    parked: ParkedView,
    sync: Closed({
      status: OneOf(SYNCS, {
        description:
          'What came of fetching it. `stale`: somebody else has applied it meanwhile. `pending`: Stripe could not be asked now; the decision stands, and it is tried again.',
      }),
      reason: Nullable(Type.String()),
    }),
    entitlements: EntitlementsView,
  }),
);

/** @param customers - the app's own ids of candidates, by their `cust_…` */
export function parkedView(row: ParkedRow, customers: ReadonlyMap<string, string>): Static<typeof ParkedView> {
  const { detail, attached_project_id: projectId, attached_external_id: customerId } = row;
  return {
    object: 'parked_object',
    id: row.id,
    status: row.status,
    reason: row.reason,
    connection: row.connection_id,
    object_type: row.object_type as Static<typeof ParkedView>['object_type'],
    object_id: row.object_id,
    stripe_customer_id: detail.stripe_customer_id,
    email_hint: detail.email_hint,
    prices: [...detail.price_ids],
    products: [...detail.product_ids],
    amount: detail.amount,
    candidates: row.candidates.map(({ project_id, customer_id, external_id, evidence }) => ({
      project_id,
      customer_id: (customer_id === null ? undefined : customers.get(customer_id)) ?? external_id,
      evidence,
    })),
    found_by: row.found_by,
    tries: row.tries,
    first_seen_at: row.first_seen_at.toISOString(),
    last_tried_at: row.last_tried_at.toISOString(),
    settled_at: row.settled_at?.toISOString() ?? null,
    resolution: row.resolution,
    attached_to: projectId === null || customerId === null ? null : { project_id: projectId, customer_id: customerId },
  };
}
