/** What is kept of an object that nobody can be found for, so that a person can decide whose it is. */

/** Whom one piece of evidence names. */
export interface Candidate {
  project_id: string | null;
  /** Tollgate's own `cust_…`. */
  customer_id: string | null;
  /** The app's own id of a customer that has never been seen. */
  external_id: string | null;
  evidence: 'known' | 'stamp' | 'stripe_customer' | 'catalog' | 'client_reference_id';
}

/** What helps a person to decide whose an object is. */
export interface ParkedDetail {
  stripe_customer_id: string | null;
  /** `a…@example.com`: enough to recognise, too little to keep. */
  email_hint: string | null;
  price_ids: readonly string[];
  product_ids: readonly string[];
  /** Minor units; null where the object has no one amount. */
  amount: { currency: string; amount: number } | null;
}

export const NO_DETAIL: ParkedDetail = {
  stripe_customer_id: null,
  email_hint: null,
  price_ids: [],
  product_ids: [],
  amount: null,
};

/** An address that whoever knows it recognises. */
export function emailHint(email: string | null | undefined): string | null {
  const [local, domain] = email?.split('@') ?? [];
  return local && domain ? `${local.slice(0, 1)}…@${domain}` : null;
}
