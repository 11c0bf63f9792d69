import { randomBytes } from 'node:crypto';

const NAME = 'tollgate_demo_customer';
const SHAPE = /^[a-z0-9_]{1,40}$/;
/** Who somebody is who comes for the first time. */
export const FIRST_CUSTOMER = 'ada';

/** The customer that a browser plays. */
export function customerOf(cookies: string | undefined): string {
  for (const pair of (cookies ?? '').split(';')) {
    const [name, value = ''] = pair.trim().split('=', 2);
    if (name === NAME && SHAPE.test(value)) return value;
  }
  return FIRST_CUSTOMER;
}

/** Makes the browser play somebody new. */
export function newCustomerCookie(): string {
  return `${NAME}=ada_${randomBytes(3).toString('hex')}; Path=/; HttpOnly; SameSite=Lax; Max-Age=2592000`;
}
