import type { CustomerShape } from './shapes.ts';

export interface CustomerCopy {
  email: string | null;
  name: string | null;
}

/** Email and name as they are to be kept: what Stripe has, which the customer edits in the portal; what it lacks stays. */
export function customerCopy({ email, name }: CustomerShape, known: CustomerCopy): CustomerCopy {
  return { email: email || known.email, name: name || known.name };
}

/** Whether Stripe has another email or name than is known. */
export function isCopyOld(customer: CustomerShape, known: CustomerCopy): boolean {
  const { email, name } = customerCopy(customer, known);
  return email !== known.email || name !== known.name;
}
