import { openFromLink, sells } from '../checkout/payment-links.ts';
import type { World } from '../world.ts';
import { type PageRequest, type PageResponse, page, seeOther } from './http.ts';
import { messagePage } from './layout.ts';

/** `/b/plink_…` opens a checkout; `/b/plink_…/thanks` is where it ends, unless the link says another place. */
export const PAYMENT_LINK_PATH = /^\/b\/(plink_[A-Za-z0-9]+)(\/thanks)?$/;

/** What somebody sees who follows a payment link, or has paid through it. */
export function handlePaymentLink(world: World, request: PageRequest, id: string, paid: boolean): PageResponse {
  const link = world.store.get('payment_link', id);
  if (link === undefined) {
    return page(messagePage('No such link', 'The address leads to no payment link of this sandbox.'), 404);
  }
  if (paid) {
    const { after_completion: after } = link;
    const words = after.type === 'hosted_confirmation' ? after.hosted_confirmation.custom_message : null;
    return page(messagePage('Thanks for your payment', words ?? 'You can close the page.'));
  }
  if (!sells(link)) {
    return page(messagePage('Not for sale', link.inactive_message ?? 'This link is not active any more.'), 410);
  }
  const { searchParams } = new URL(request.path, 'http://localhost');
  const session = openFromLink(world, link, {
    clientReferenceId: searchParams.get('client_reference_id') ?? undefined,
    email: searchParams.get('prefilled_email') ?? undefined,
  });
  return seeOther(`/c/pay/${session.id}`);
}
