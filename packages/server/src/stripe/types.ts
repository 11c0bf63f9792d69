/** Stripe's own types, for the rooms that read its objects; only this room may use the SDK's values. */
export type { Stripe } from 'stripe';
