/** The kinds of Stripe's objects that facts are made of, or what facts refer to. */
export type ObjectType = 'subscription' | 'invoice' | 'payment' | 'checkout_session' | 'customer' | 'product' | 'price';

/** One object of Stripe's that can be brought up to date. The id of a `payment` is its payment intent's (`pi_…`). */
export interface ObjectRef {
  type: ObjectType;
  id: string;
}
