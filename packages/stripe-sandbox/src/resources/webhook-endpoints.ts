import { invalidRequest } from '../errors.ts';
import { listShape, pageOf } from '../lists.ts';
import { API_VERSION, type WebhookEndpoint } from '../model.ts';
import { clearable, flag, list, mergeMetadata, metadata, optional, required, text } from '../params.ts';
import { route } from '../routes.ts';

function checkUrl(url: string): string {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw invalidRequest(`Invalid URL: An explicit scheme (such as https) must be provided.`, {
      code: 'url_invalid',
      param: 'url',
    });
  }
  return url;
}

export const webhookEndpointRoutes = [
  route(
    'POST',
    '/webhook_endpoints',
    {
      url: required(text),
      enabled_events: required(list(text)),
      api_version: optional(text),
      connect: optional(flag),
      description: optional(clearable(text)),
      metadata: optional(metadata),
    },
    (world, params) => {
      const endpoint: WebhookEndpoint = world.store.insert('webhook_endpoint', {
        id: world.ids.make('we_'),
        object: 'webhook_endpoint',
        api_version: params.api_version ?? API_VERSION,
        application: null,
        created: world.clock.now(),
        description: params.description ?? null,
        enabled_events: params.enabled_events,
        livemode: false,
        metadata: mergeMetadata({}, params.metadata),
        status: 'enabled',
        url: checkUrl(params.url),
        $: { secret: world.ids.make('whsec_') },
      });
      // The only time that Stripe shows the secret.
      return { ...endpoint, secret: endpoint.$.secret };
    },
  ),
  route('GET', '/webhook_endpoints', listShape, (world, params) =>
    pageOf(world.store, 'webhook_endpoint', params, { url: '/v1/webhook_endpoints' }),
  ),
  route('GET', '/webhook_endpoints/:id', {}, (world, _params, id) => world.need('webhook_endpoint', id)),
  route(
    'POST',
    '/webhook_endpoints/:id',
    {
      url: optional(text),
      enabled_events: optional(list(text)),
      description: optional(clearable(text)),
      disabled: optional(flag),
      metadata: optional(metadata),
    },
    (world, params, id) => {
      const endpoint = world.need('webhook_endpoint', id);
      if (params.url !== undefined) endpoint.url = checkUrl(params.url);
      if (params.enabled_events !== undefined) endpoint.enabled_events = params.enabled_events;
      if (params.description !== undefined) endpoint.description = params.description;
      if (params.disabled !== undefined) endpoint.status = params.disabled ? 'disabled' : 'enabled';
      endpoint.metadata = mergeMetadata(endpoint.metadata, params.metadata);
      return endpoint;
    },
  ),
  route('DELETE', '/webhook_endpoints/:id', {}, (world, _params, id) => {
    world.need('webhook_endpoint', id);
    return world.remove('webhook_endpoint', id);
  }),
];
