import { invalidRequest } from '../errors.ts';
import { emit } from '../events.ts';
import type { PortalSession } from '../model.ts';
import { group, ignored, oneOf, optional, type Reader, required, text } from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';
import { defaultConfiguration, portalConfigurationRoutes } from './portal-configurations.ts';

export { cancelFromPortal, resumeFromPortal, updateCardFromPortal } from './portal-actions.ts';
export { changePlanFromPortal, previewChange } from './portal-change.ts';

const completion = optional(
  group({
    type: required(oneOf('hosted_confirmation', 'portal_homepage', 'redirect')),
    hosted_confirmation: optional(group({ custom_message: optional(text) })),
    redirect: optional(group({ return_url: required(text) })),
  }),
);

const flowData = group({
  type: required(
    oneOf('payment_method_update', 'subscription_cancel', 'subscription_update', 'subscription_update_confirm'),
  ),
  after_completion: completion,
  subscription_cancel: optional(group({ subscription: required(text), retention: optional(ignored) })),
  subscription_update: optional(group({ subscription: required(text) })),
  subscription_update_confirm: optional(
    group({ subscription: required(text), items: optional((value) => value), discounts: optional(ignored) }),
  ),
});

type GivenFlow = typeof flowData extends Reader<infer T> ? T : never;

/** What the portal is opened for, when it is for one thing. */
function flowOf(world: World, given: GivenFlow | undefined): PortalSession['flow'] {
  if (given === undefined) return null;
  const { type, after_completion, ...details } = given;
  const subscription =
    details.subscription_cancel?.subscription ??
    details.subscription_update?.subscription ??
    details.subscription_update_confirm?.subscription;
  if (subscription !== undefined) world.need('subscription', subscription, `flow_data[${type}][subscription]`);
  else if (type !== 'payment_method_update') {
    const param = `flow_data[${type}][subscription]`;
    throw invalidRequest(`Missing required param: ${param}.`, { code: 'parameter_missing', param });
  }
  return {
    type,
    after_completion: after_completion ?? { type: 'portal_homepage', hosted_confirmation: null, redirect: null },
    customer_update: null,
    subscription_cancel:
      details.subscription_cancel === undefined
        ? null
        : { retention: null, subscription: details.subscription_cancel.subscription },
    subscription_pause: null,
    subscription_update: details.subscription_update ?? null,
    subscription_update_confirm: details.subscription_update_confirm ?? null,
  };
}

export const billingPortalRoutes = [
  route(
    'POST',
    '/billing_portal/sessions',
    {
      configuration: optional(text),
      customer: required(text),
      flow_data: optional(flowData),
      locale: optional(text),
      return_url: optional(text),
    },
    (world, params) => {
      const customer = world.need('customer', params.customer, 'customer');
      const configuration =
        params.configuration === undefined
          ? defaultConfiguration(world)
          : world.need('billing_portal.configuration', params.configuration, 'configuration');
      if (!configuration.active) {
        throw invalidRequest('You can only use an active configuration to create a portal session.', {
          param: 'configuration',
        });
      }
      const secret = world.ids.random.token(40);
      const session = world.store.insert('billing_portal.session', {
        id: world.ids.make('bps_'),
        object: 'billing_portal.session',
        after_expiration: null,
        configuration: configuration.id,
        created: world.clock.now(),
        customer: customer.id,
        customer_account: null,
        flow: flowOf(world, params.flow_data),
        livemode: false,
        locale: params.locale ?? null,
        on_behalf_of: null,
        return_url: params.return_url ?? configuration.default_return_url,
        url: `${world.baseUrl}/p/session/${secret}`,
        $: { secret },
      });
      emit(world, 'billing_portal.session.created', session);
      return session;
    },
  ),
  ...portalConfigurationRoutes,
];
