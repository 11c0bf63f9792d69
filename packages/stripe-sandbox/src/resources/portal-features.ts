import { invalidRequest } from '../errors.ts';
import type { PortalFeatures } from '../model.ts';
import {
  clearable,
  flag,
  group,
  ignored,
  integer,
  list,
  oneOf,
  optional,
  type Reader,
  required,
  text,
} from '../params.ts';
import type { World } from '../world.ts';

/** A configuration that allows nothing yet. */
export const DEFAULT_FEATURES: PortalFeatures = {
  customer_update: { allowed_updates: [], enabled: false },
  invoice_history: { enabled: false },
  payment_method_update: { enabled: false, payment_method_configuration: null },
  subscription_cancel: {
    cancellation_reason: { enabled: false, feedback_options: null, options: [] },
    enabled: false,
    mode: 'at_period_end',
    proration_behavior: 'none',
  },
  subscription_pause: { duration: { interval_options: [], type: 'indefinite' }, enabled: false },
  subscription_update: {
    billing_cycle_anchor: null,
    default_allowed_updates: [],
    enabled: false,
    products: [],
    proration_behavior: 'none',
    schedule_at_period_end: { conditions: [] },
    trial_update_behavior: 'end_trial',
  },
};

const proration = optional(oneOf('always_invoice', 'create_prorations', 'none'));

/** The parameters of a configuration's features. */
export const featuresReader = group({
  customer_update: optional(group({ allowed_updates: optional(list(text)), enabled: optional(flag) })),
  invoice_history: optional(group({ enabled: required(flag) })),
  payment_method_update: optional(group({ enabled: required(flag), payment_method_configuration: optional(ignored) })),
  subscription_cancel: optional(
    group({
      cancellation_reason: optional(group({ enabled: optional(flag), options: optional(list(text)) })),
      enabled: optional(flag),
      mode: optional(oneOf('at_period_end', 'immediately')),
      proration_behavior: proration,
    }),
  ),
  subscription_update: optional(
    group({
      billing_cycle_anchor: optional(oneOf('now', 'unchanged')),
      default_allowed_updates: optional(list(text)),
      enabled: optional(flag),
      products: optional(
        clearable(
          list(
            group({
              adjustable_quantity: optional(
                group({ enabled: required(flag), maximum: optional(integer), minimum: optional(integer) }),
              ),
              prices: required(list(text)),
              product: required(text),
            }),
          ),
        ),
      ),
      proration_behavior: proration,
      schedule_at_period_end: optional(ignored),
      trial_update_behavior: optional(oneOf('continue_trial', 'end_trial')),
    }),
  ),
});

type Given = typeof featuresReader extends Reader<infer T> ? T : never;

function productsOf(
  world: World,
  given: NonNullable<NonNullable<Given['subscription_update']>['products']>,
): PortalFeatures['subscription_update']['products'] {
  return given.map(({ product, prices, adjustable_quantity: adjustable }, index) => {
    const at = `features[subscription_update][products][${index}]`;
    world.need('product', product, `${at}[product]`);
    prices.forEach((id, place) => {
      const price = world.need('price', id, `${at}[prices][${place}]`);
      if (price.product !== product) {
        throw invalidRequest(`The price ${id} does not belong to the product ${product}.`, { param: `${at}[prices]` });
      }
    });
    const { enabled = false, maximum = null, minimum = 1 } = adjustable ?? {};
    return { adjustable_quantity: { enabled, maximum, minimum }, prices, product };
  });
}

/**
 * Applies given features to a configuration's; what is not named stays.
 *
 * @throws StripeError when a product or a price does not exist
 */
export function applyFeatures(world: World, features: PortalFeatures, given: Given): void {
  const { customer_update, invoice_history, payment_method_update, subscription_cancel, subscription_update } = given;
  if (customer_update?.enabled !== undefined) features.customer_update.enabled = customer_update.enabled;
  if (customer_update?.allowed_updates !== undefined) {
    features.customer_update.allowed_updates = customer_update.allowed_updates;
  }
  if (invoice_history !== undefined) features.invoice_history.enabled = invoice_history.enabled;
  if (payment_method_update !== undefined) features.payment_method_update.enabled = payment_method_update.enabled;
  if (subscription_cancel !== undefined) {
    const { enabled, mode, proration_behavior, cancellation_reason } = subscription_cancel;
    const cancel = features.subscription_cancel;
    if (enabled !== undefined) cancel.enabled = enabled;
    if (mode !== undefined) cancel.mode = mode;
    if (proration_behavior !== undefined) cancel.proration_behavior = proration_behavior;
    if (cancellation_reason?.enabled !== undefined) cancel.cancellation_reason.enabled = cancellation_reason.enabled;
    if (cancellation_reason?.options !== undefined) cancel.cancellation_reason.options = cancellation_reason.options;
  }
  if (subscription_update !== undefined) {
    const update = features.subscription_update;
    const { enabled, default_allowed_updates, products, proration_behavior, trial_update_behavior } =
      subscription_update;
    if (products !== undefined) update.products = productsOf(world, products ?? []);
    if (enabled !== undefined) update.enabled = enabled;
    if (default_allowed_updates !== undefined) update.default_allowed_updates = default_allowed_updates;
    if (proration_behavior !== undefined) update.proration_behavior = proration_behavior;
    if (trial_update_behavior !== undefined) update.trial_update_behavior = trial_update_behavior;
    if (subscription_update.billing_cycle_anchor !== undefined) {
      update.billing_cycle_anchor = subscription_update.billing_cycle_anchor;
    }
  }
}
