import { customerRoutes } from './customers.ts';
import { disputeRoutes } from './disputes.ts';
import { eventRoutes } from './events.ts';
import { paymentMethodRoutes } from './payment-methods.ts';
import { priceRoutes } from './prices.ts';
import { productRoutes } from './products.ts';
import { webhookEndpointRoutes } from './webhook-endpoints.ts';

/** Every operation under `/v1`. */
export const apiRoutes = [
  ...customerRoutes,
  ...disputeRoutes,
  ...eventRoutes,
  ...paymentMethodRoutes,
  ...priceRoutes,
  ...productRoutes,
  ...webhookEndpointRoutes,
];
