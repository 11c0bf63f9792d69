import type { App } from '../platform/http/app.ts';
import { registerEventRoutes } from './admin-routes.ts';
import type { ReceiveDeps } from './deps.ts';
import { registerWebhookRoutes } from './webhook-routes.ts';

/** Where Stripe delivers, and where operators look. */
export function registerInboxRoutes(app: App, deps: ReceiveDeps): void {
  registerWebhookRoutes(app, deps);
  registerEventRoutes(app, deps);
}
