import { isCardNumber } from '../billing/cards.ts';
import { StripeError } from '../errors.ts';
import type { PortalSession } from '../model.ts';
import {
  cancelFromPortal,
  resumeFromPortal,
  switchPlanFromPortal,
  updateCardFromPortal,
} from '../resources/billing-portal.ts';
import type { World } from '../world.ts';
import { safeLink } from './html.ts';
import { type PageRequest, type PageResponse, page, seeOther } from './http.ts';
import { messagePage } from './layout.ts';
import { type PortalNotice, portalPage } from './portal-view.ts';
import { type CardForm, FILLED_IN, grouped, readCard } from './test-cards.ts';

/** `/p/session/…`: the secret in it is the key. */
export const PORTAL_PATH = /^\/p\/session\/([A-Za-z0-9_]+)$/;

const DONE: Readonly<Record<string, string>> = {
  cancel: 'The plan is canceled.',
  resume: 'The plan goes on.',
  switch: 'The plan is switched.',
  card: 'The card is saved, and pays from now on.',
};

/** The hosted portal of one session. */
export function handlePortal(world: World, request: PageRequest, secret: string): PageResponse {
  const session = world.store.all('billing_portal.session').findLast((candidate) => candidate.$.secret === secret);
  if (session === undefined || world.store.get('customer', session.customer) === undefined) {
    return page(messagePage('No such session', 'The link leads nowhere. Go back to the app and open it again.'), 404);
  }
  return world.inTimeOf(session.customer, () => {
    if (request.method === 'POST') return act(world, session, new URLSearchParams(request.body));
    const done = DONE[new URL(request.path, 'http://localhost').searchParams.get('done') ?? ''];
    return show(world, session, done === undefined ? null : { good: true, text: done });
  });
}

function show(
  world: World,
  session: PortalSession,
  notice: PortalNotice | null,
  card: CardForm = FILLED_IN,
  status = 200,
): PageResponse {
  const configuration = world.need('billing_portal.configuration', session.configuration);
  return page(portalPage(world, { session, configuration, url: pathOf(session), notice, card }), status);
}

function pathOf(session: PortalSession): string {
  return `/p/session/${session.$.secret}`;
}

function act(world: World, session: PortalSession, form: URLSearchParams): PageResponse {
  const action = form.get('action') ?? '';
  const subscription = form.get('subscription') ?? '';
  try {
    switch (action) {
      case 'cancel':
        cancelFromPortal(world, session, subscription);
        break;
      case 'resume':
        resumeFromPortal(world, session, subscription);
        break;
      case 'switch':
        switchPlanFromPortal(world, session, subscription, form.get('price') ?? '');
        break;
      case 'card':
        return saveCard(world, session, form);
      default:
        throw new StripeError(400, 'invalid_request_error', 'There is no such button.');
    }
  } catch (error) {
    if (!(error instanceof StripeError)) throw error;
    return show(world, session, { good: false, text: error.message }, FILLED_IN, error.status);
  }
  return done(session, action);
}

function saveCard(world: World, session: PortalSession, form: URLSearchParams): PageResponse {
  const card = readCard(form, isCardNumber, world.clock.now());
  const chosen = form.get('fill');
  if (chosen !== null) return show(world, session, null, { ...card, number: grouped(chosen), errors: {}, open: true });
  if (Object.keys(card.errors).length > 0) return show(world, session, null, { ...card, open: true }, 400);
  const result = updateCardFromPortal(world, session, card.number, card.ends);
  if (result.ok) return done(session, 'card');
  return show(world, session, { good: false, text: result.message }, { ...card, open: true }, 402);
}

/** Back to the portal, or where the app wants people to go after the one thing that they came for. */
function done(session: PortalSession, action: string): PageResponse {
  const completion = session.flow?.after_completion as
    | { type?: string; redirect?: { return_url?: string } | null }
    | undefined;
  const leads = completion?.type === 'redirect' ? safeLink(completion.redirect?.return_url) : null;
  return seeOther(leads ?? `${pathOf(session)}?done=${action}`);
}
