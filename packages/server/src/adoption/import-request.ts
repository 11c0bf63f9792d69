import type { MappingInput } from '../catalog/mapping-inputs.ts';

export interface ImportedProduct {
  /** Stripe's `prod_…`. */
  product: string;
  /** The whole set of its mappings; left out, they stay as they are. */
  features?: readonly MappingInput[];
}

/** What an operator asked an import for. */
export interface ImportRequest {
  /** The products that are the project's; `all`: every one that is nobody else's. */
  products: 'all' | readonly ImportedProduct[];
  /** Where the app's own id of a customer is found in Stripe: `stripe_customer_id`, `email`, `metadata.<key>`. */
  customer_id_from: string;
}
