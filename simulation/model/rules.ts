/** By which rules somebody may use something: a project's own, as it set them over the API. */
export interface Mapping {
  code: string;
  value?: number;
  unlimited?: boolean;
  per_unit?: boolean;
  access_days?: number;
}

export interface Rules {
  features: Record<string, { type: 'boolean' | 'limit'; aggregation: 'max' | 'sum' }>;
  /** By product and by price; a price's replaces its product's. */
  products: Record<string, Mapping[]>;
  prices: Record<string, Mapping[]>;
  policy: Policy;
}

export interface Policy {
  past_due_grace_days: number;
  renewal_slack_hours: number;
  trial: 'grant' | 'deny';
  pause_collection: 'grant' | 'deny';
  dispute: 'suspend' | 'keep';
  partial_refund: 'keep' | 'revoke';
  subscription_refund: 'ignore' | 'revoke_period';
}
