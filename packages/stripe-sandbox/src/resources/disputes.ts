import { invalidRequest } from '../errors.ts';
import { change, emit } from '../events.ts';
import type { FormValue } from '../form.ts';
import { firstBy, listShape, pageOf } from '../lists.ts';
import type { Charge, Dispute } from '../model.ts';
import { flag, mergeMetadata, metadata, optional, type Reader, range, text } from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';

export type DisputeCause = 'fraudulent' | 'inquiry' | 'product_not_received';

const DAY = 86_400;

/** Everything that may be said in one's defence, unsaid. */
const NO_EVIDENCE: Record<string, null> = {
  access_activity_log: null,
  billing_address: null,
  cancellation_policy: null,
  cancellation_policy_disclosure: null,
  cancellation_rebuttal: null,
  customer_communication: null,
  customer_email_address: null,
  customer_name: null,
  customer_purchase_ip: null,
  customer_signature: null,
  duplicate_charge_documentation: null,
  duplicate_charge_explanation: null,
  duplicate_charge_id: null,
  product_description: null,
  receipt: null,
  refund_policy: null,
  refund_policy_disclosure: null,
  refund_refusal_explanation: null,
  service_date: null,
  service_documentation: null,
  shipping_address: null,
  shipping_carrier: null,
  shipping_date: null,
  shipping_documentation: null,
  shipping_tracking_number: null,
  uncategorized_file: null,
  uncategorized_text: null,
};

/** Opens a dispute about a charge, as the customer's bank does. An inquiry takes no money and is only a warning. */
export function openDispute(world: World, charge: Charge, cause: DisputeCause): Dispute {
  const inquiry = cause === 'inquiry';
  const now = world.clock.now();
  const dispute = world.store.insert('dispute', {
    id: world.ids.make('dp_'),
    object: 'dispute',
    amount: charge.amount - charge.amount_refunded,
    balance_transactions: [],
    charge: charge.id,
    created: now,
    currency: charge.currency,
    enhanced_eligibility_types: [],
    evidence: { ...NO_EVIDENCE, enhanced_evidence: {} },
    evidence_details: {
      due_by: now + 9 * DAY,
      enhanced_eligibility: {},
      has_evidence: false,
      past_due: false,
      submission_count: 0,
      submission_method: 'not_submitted',
    },
    intended_submission_method: null,
    is_charge_refundable: inquiry,
    livemode: false,
    metadata: {},
    payment_intent: charge.payment_intent,
    payment_method_details: {
      card: {
        brand: 'visa',
        case_type: inquiry ? 'inquiry' : 'chargeback',
        network: 'visa',
        network_reason_code: '83',
      },
      type: 'card',
    },
    reason: inquiry ? 'general' : cause,
    status: inquiry ? 'warning_needs_response' : 'needs_response',
  });
  if (!inquiry) change(world, charge, 'charge.updated', () => Object.assign(charge, { disputed: true }));
  emit(world, 'charge.dispute.created', dispute);
  if (!inquiry) emit(world, 'charge.dispute.funds_withdrawn', dispute);
  return dispute;
}

/** What the bank decides. */
export type DisputeVerdict = 'lost' | 'won';

const CLOSED = new Set<Dispute['status']>(['lost', 'warning_closed', 'won']);

/**
 * Closes a dispute. An inquiry just ends.
 *
 * @throws StripeError when it is closed already
 */
export function closeDispute(world: World, dispute: Dispute, verdict: DisputeVerdict): Dispute {
  if (CLOSED.has(dispute.status)) throw invalidRequest('This dispute is already closed');
  const inquiry = dispute.status.startsWith('warning_');
  change(world, dispute, 'charge.dispute.closed', () => {
    dispute.status = inquiry ? 'warning_closed' : verdict;
  });
  if (!inquiry && verdict === 'won') emit(world, 'charge.dispute.funds_reinstated', dispute);
  return dispute;
}

/** Whatever is said in one's defence; the sandbox's bank decides by what it is told. */
const evidence: Reader<Record<string, FormValue>> = (value, path) => {
  if (typeof value === 'string') throw invalidRequest(`Invalid object: ${path} must be a hash.`, { param: path });
  for (const name of Object.keys(value)) {
    if (name in NO_EVIDENCE || name === 'enhanced_evidence') continue;
    const param = `${path}[${name}]`;
    throw invalidRequest(`Received unknown parameter: ${param}`, { code: 'parameter_unknown', param });
  }
  return { ...value };
};

export const disputeRoutes = [
  route(
    'GET',
    '/disputes',
    { ...listShape, charge: optional(text), payment_intent: optional(text), created: optional(range) },
    (world, params) =>
      pageOf(world.store, 'dispute', params, {
        url: '/v1/disputes',
        by: firstBy(params, ['charge', 'payment_intent']),
        keep: (dispute) =>
          (params.charge === undefined || dispute.charge === params.charge) &&
          (params.payment_intent === undefined || dispute.payment_intent === params.payment_intent) &&
          (params.created?.(dispute.created) ?? true),
      }),
  ),
  route('GET', '/disputes/:id', {}, (world, _params, id) => world.need('dispute', id)),
  route(
    'POST',
    '/disputes/:id',
    { evidence: optional(evidence), metadata: optional(metadata), submit: optional(flag) },
    (world, params, id) => {
      const dispute = world.need('dispute', id);
      const metadataAfter = mergeMetadata(dispute.metadata, params.metadata);
      if (params.evidence !== undefined && CLOSED.has(dispute.status)) {
        throw invalidRequest('This dispute is already closed');
      }
      change(world, dispute, 'charge.dispute.updated', () => {
        dispute.metadata = metadataAfter;
        if (params.evidence === undefined) return;
        dispute.evidence = { ...dispute.evidence, ...params.evidence };
        dispute.evidence_details.has_evidence = true;
        if (params.submit === false) return;
        dispute.evidence_details.submission_count += 1;
        dispute.evidence_details.submission_method = 'manual';
        dispute.status = dispute.status.startsWith('warning_') ? 'warning_under_review' : 'under_review';
      });
      return dispute;
    },
  ),
  route('POST', '/disputes/:id/close', {}, (world, _params, id) =>
    closeDispute(world, world.need('dispute', id), 'lost'),
  ),
];
