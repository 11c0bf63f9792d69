export { createRegistry } from './registry.ts';
export { registerConnectionRoutes } from './routes.ts';
