import type { World } from '../world.ts';
import { AUTHENTICATION_PATH, handleAuthentication } from './authentication.ts';
import { CHECKOUT_PATH, handleCheckout } from './checkout.ts';
import { handleControl } from './control.ts';
import { isOwnForm, type PageRequest, type PageResponse, page } from './http.ts';
import { messagePage } from './layout.ts';
import { handlePaymentLink, PAYMENT_LINK_PATH } from './payment-link.ts';
import { handlePortal, PORTAL_PATH } from './portal.ts';

export type { PageRequest, PageResponse } from './http.ts';

/** Answers requests for the hosted pages; null when the address is none of theirs. */
export function handlePage(world: World, request: PageRequest): PageResponse | null {
  const { pathname } = new URL(request.path, 'http://localhost');
  const checkout = CHECKOUT_PATH.exec(pathname);
  const portal = PORTAL_PATH.exec(pathname);
  const authentication = AUTHENTICATION_PATH.exec(pathname);
  const link = PAYMENT_LINK_PATH.exec(pathname);
  if (link !== null && request.method === 'GET') {
    return handlePaymentLink(world, request, link[1] ?? '', link[2] !== undefined);
  }
  if (pathname !== '/' && checkout === null && portal === null && authentication === null) return null;
  if (request.method !== 'GET' && request.method !== 'POST') return null;
  if (request.method === 'POST' && !isOwnForm(request)) {
    return page(
      messagePage('Not from here', 'The form was sent by another site. Open this page and send it from here.'),
      403,
    );
  }
  if (checkout !== null) return handleCheckout(world, request, checkout[1] ?? '', checkout[2] !== undefined);
  if (portal !== null) return handlePortal(world, request, portal[1] ?? '');
  if (authentication !== null) return handleAuthentication(world, request, authentication[1] ?? '');
  return handleControl(world, request);
}
