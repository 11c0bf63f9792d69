import { route } from '../routes.ts';

export const accountRoutes = [
  /** Whose key it is: the sandbox's own account, whatever the key. */
  route('GET', '/account', {}, (world) => ({
    id: world.accountId,
    object: 'account',
    charges_enabled: true,
    country: 'US',
    default_currency: 'usd',
    details_submitted: true,
    email: null,
    payouts_enabled: true,
    type: 'standard',
  })),
];
