import type { App } from '../platform/http/app.ts';
import type { CatalogDeps } from './deps.ts';
import { registerFeatureRoutes } from './feature-routes.ts';
import { registerMappingRoutes } from './mapping-routes.ts';
import { registerPriceRoutes } from './price-routes.ts';
import { registerProductRoutes } from './product-routes.ts';

/** What a project sells and what it unlocks, over HTTP. */
export function registerCatalogRoutes(app: App, deps: CatalogDeps): void {
  registerFeatureRoutes(app, deps);
  registerProductRoutes(app, deps);
  registerPriceRoutes(app, deps);
  registerMappingRoutes(app, deps);
}
