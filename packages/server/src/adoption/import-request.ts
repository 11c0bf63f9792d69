/** What an operator asked an import for. */
export interface ImportRequest {
  /** The products that are the project's, by Stripe's ids; `all`: every one that is nobody else's. */
  products: 'all' | readonly string[];
  /** Where the app's own id of a customer is found in Stripe: `stripe_customer_id`, `email`, `metadata.<key>`. */
  customer_id_from: string;
}
