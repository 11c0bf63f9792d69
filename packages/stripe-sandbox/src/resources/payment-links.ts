import { linesOf } from '../checkout/session-lines.ts';
import { sessionFields } from '../checkout/session-params.ts';
import { invalidRequest } from '../errors.ts';
import { change, emit } from '../events.ts';
import { listShape, pageOf, pageOfNested } from '../lists.ts';
import type { PaymentLink } from '../model.ts';
import {
  clearable,
  flag,
  group,
  integer,
  list,
  mergeMetadata,
  metadata,
  oneOf,
  optional,
  type Params,
  required,
  text,
} from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';

const afterCompletion = optional(
  group({
    hosted_confirmation: optional(group({ custom_message: optional(text) })),
    redirect: optional(group({ url: required(text) })),
    type: required(oneOf('hosted_confirmation', 'redirect')),
  }),
);
const trialSettings = optional(
  group({
    end_behavior: required(group({ missing_payment_method: required(oneOf('cancel', 'create_invoice', 'pause')) })),
  }),
);

/** What may be said at the beginning, and changed later. */
const sharedFields = {
  after_completion: afterCompletion,
  allow_promotion_codes: optional(flag),
  billing_address_collection: optional(oneOf('auto', 'required')),
  customer_creation: optional(oneOf('always', 'if_required')),
  inactive_message: optional(clearable(text)),
  metadata: optional(metadata),
  payment_intent_data: optional(
    group({
      description: optional(clearable(text)),
      metadata: optional(metadata),
      setup_future_usage: optional(oneOf('off_session', 'on_session')),
      statement_descriptor: optional(clearable(text)),
    }),
  ),
  payment_method_collection: optional(oneOf('always', 'if_required')),
  payment_method_types: optional(clearable(list(text))),
  phone_number_collection: optional(group({ enabled: required(flag) })),
  restrictions: optional(clearable(group({ completed_sessions: required(group({ limit: required(integer) })) }))),
  submit_type: optional(oneOf('auto', 'book', 'donate', 'pay', 'subscribe')),
  subscription_data: optional(
    group({
      description: optional(clearable(text)),
      metadata: optional(metadata),
      trial_period_days: optional(clearable(integer)),
      trial_settings: trialSettings,
    }),
  ),
};

type Shared = Params<typeof sharedFields>;

function completionOf(given: Shared['after_completion']): PaymentLink['after_completion'] | undefined {
  if (given === undefined) return undefined;
  if (given.type === 'hosted_confirmation') {
    return {
      hosted_confirmation: { custom_message: given.hosted_confirmation?.custom_message ?? null },
      type: given.type,
    };
  }
  if (given.redirect === undefined) {
    throw invalidRequest('Missing required param: after_completion[redirect].', {
      code: 'parameter_missing',
      param: 'after_completion[redirect]',
    });
  }
  if (!URL.canParse(given.redirect.url)) {
    throw invalidRequest('Not a valid URL', { code: 'url_invalid', param: 'after_completion[redirect][url]' });
  }
  return { redirect: { url: given.redirect.url }, type: given.type };
}

function apply(link: PaymentLink, given: Shared): void {
  link.metadata = mergeMetadata(link.metadata, given.metadata);
  link.after_completion = completionOf(given.after_completion) ?? link.after_completion;
  link.allow_promotion_codes = given.allow_promotion_codes ?? link.allow_promotion_codes;
  link.billing_address_collection = given.billing_address_collection ?? link.billing_address_collection;
  link.customer_creation = given.customer_creation ?? link.customer_creation;
  if (given.inactive_message !== undefined) link.inactive_message = given.inactive_message;
  link.payment_method_collection = given.payment_method_collection ?? link.payment_method_collection;
  if (given.payment_method_types !== undefined) link.payment_method_types = given.payment_method_types;
  link.phone_number_collection = given.phone_number_collection ?? link.phone_number_collection;
  link.submit_type = given.submit_type ?? link.submit_type;
  if (given.restrictions === null) link.restrictions = null;
  else if (given.restrictions !== undefined) {
    const count = link.restrictions?.completed_sessions.count ?? 0;
    link.restrictions = { completed_sessions: { count, limit: given.restrictions.completed_sessions.limit } };
  }
  const { payment_intent_data: payment, subscription_data: subscription } = given;
  if (payment !== undefined) {
    link.payment_intent_data = {
      capture_method: null,
      description: payment.description ?? null,
      metadata: mergeMetadata(link.payment_intent_data?.metadata ?? {}, payment.metadata),
      setup_future_usage: payment.setup_future_usage ?? null,
      statement_descriptor: payment.statement_descriptor ?? null,
      statement_descriptor_suffix: null,
      transfer_group: null,
    };
  }
  if (subscription !== undefined) {
    link.subscription_data = {
      description: subscription.description ?? null,
      invoice_settings: {
        account_tax_ids: null,
        custom_fields: null,
        description: null,
        footer: null,
        issuer: { type: 'self' },
      },
      metadata: mergeMetadata(link.subscription_data?.metadata ?? {}, subscription.metadata),
      trial_period_days: subscription.trial_period_days ?? null,
      trial_settings: subscription.trial_settings ?? null,
    };
  }
}

const createFields = { ...sharedFields, currency: optional(text), line_items: sessionFields.line_items };

function create(world: World, given: Params<typeof createFields>): PaymentLink {
  const lines = linesOf(world, { line_items: given.line_items, mode: undefined });
  // A price that is made along with the link can be bought for as long as the link is there.
  for (const [index, { price }] of lines.entries()) {
    if (given.line_items?.[index]?.price === undefined) price.active = true;
  }
  const recurring = lines.some(({ price }) => price.recurring !== null);
  if (recurring && given.payment_intent_data !== undefined) {
    throw invalidRequest('You can not pass `payment_intent_data` for a link with recurring prices.', {
      param: 'payment_intent_data',
    });
  }
  if (!recurring && given.subscription_data !== undefined) {
    throw invalidRequest('You can not pass `subscription_data` for a link without recurring prices.', {
      param: 'subscription_data',
    });
  }
  const id = world.ids.make('plink_');
  const link: PaymentLink = {
    id,
    object: 'payment_link',
    active: true,
    after_completion: { hosted_confirmation: { custom_message: null }, type: 'hosted_confirmation' },
    allow_promotion_codes: false,
    application: null,
    application_fee_amount: null,
    application_fee_percent: null,
    automatic_tax: { enabled: false, liability: null },
    billing_address_collection: 'auto',
    consent_collection: null,
    currency: lines[0]?.currency ?? 'usd',
    custom_fields: [],
    custom_text: { after_submit: null, shipping_address: null, submit: null, terms_of_service_acceptance: null },
    customer_creation: recurring ? 'always' : 'if_required',
    inactive_message: null,
    invoice_creation: null,
    livemode: false,
    managed_payments: null,
    metadata: {},
    on_behalf_of: null,
    optional_items: null,
    payment_intent_data: null,
    payment_method_collection: 'always',
    payment_method_options: null,
    payment_method_types: null,
    phone_number_collection: { enabled: false },
    restrictions: null,
    shipping_address_collection: null,
    shipping_options: [],
    submit_type: 'auto',
    subscription_data: null,
    tax_id_collection: { enabled: false, required: 'never' },
    transfer_data: null,
    url: `${world.baseUrl}/b/${id}`,
    $: { lines },
  };
  apply(link, given);
  world.store.insert('payment_link', link);
  emit(world, 'payment_link.created', link);
  return link;
}

/** Payment links; what is bought through one is a checkout session that says so in `payment_link`. */
export const paymentLinkRoutes = [
  route('POST', '/payment_links', createFields, (world, params) => create(world, params)),
  route('GET', '/payment_links', { ...listShape, active: optional(flag) }, (world, params) =>
    pageOf(world.store, 'payment_link', params, {
      url: '/v1/payment_links',
      keep: ({ active }) => params.active === undefined || active === params.active,
    }),
  ),
  route('GET', '/payment_links/:id', {}, (world, _params, id) => world.need('payment_link', id)),
  route('POST', '/payment_links/:id', { ...sharedFields, active: optional(flag) }, (world, params, id) => {
    const link = world.need('payment_link', id);
    change(world, link, 'payment_link.updated', () => {
      apply(link, params);
      link.active = params.active ?? link.active;
    });
    return link;
  }),
  route('GET', '/payment_links/:id/line_items', listShape, (world, params, id) =>
    pageOfNested(world.need('payment_link', id).$.lines, params, `/v1/payment_links/${id}/line_items`),
  ),
];
