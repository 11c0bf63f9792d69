import { isCardNumber } from '../billing/cards.ts';
import { StripeError } from '../errors.ts';
import type { PortalSession } from '../model.ts';
import {
  cancelFromPortal,
  changePlanFromPortal,
  previewChange,
  resumeFromPortal,
  updateCardFromPortal,
} from '../resources/billing-portal.ts';
import type { World } from '../world.ts';
import { safeLink } from './html.ts';
import { type PageRequest, type PageResponse, page, seeOther } from './http.ts';
import { messagePage } from './layout.ts';
import type { PlanChangeState } from './portal-change-view.ts';
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
    return show(world, session, done === undefined ? {} : { notice: { good: true, text: done } });
  });
}

interface Shown {
  notice?: PortalNotice;
  card?: CardForm;
  change?: PlanChangeState;
}

function show(world: World, session: PortalSession, shown: Shown, status = 200): PageResponse {
  const { notice = null, card = FILLED_IN, change = null } = shown;
  const configuration = world.need('billing_portal.configuration', session.configuration);
  return page(portalPage(world, { session, configuration, url: pathOf(session), notice, card, change }), status);
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
        cancelFromPortal(world, session, subscription, {
          feedback: form.get('feedback') ?? '',
          comment: form.get('comment') ?? '',
        });
        break;
      case 'resume':
        resumeFromPortal(world, session, subscription);
        break;
      case 'preview':
        return showPreview(world, session, subscription, form);
      case 'switch':
        changePlanFromPortal(world, session, subscription, changeOf(form));
        break;
      case 'card':
        return saveCard(world, session, form);
      default:
        throw new StripeError(400, 'invalid_request_error', 'There is no such button.');
    }
  } catch (error) {
    if (!(error instanceof StripeError)) throw error;
    if (error.details.param === 'quantity') return showWrongQuantity(world, session, subscription, form, error);
    return show(world, session, { notice: { good: false, text: error.message } }, error.status);
  }
  return done(session, action);
}

function changeOf(form: URLSearchParams): { price: string; quantity: string } {
  return { price: form.get('price') ?? '', quantity: form.get('quantity') ?? '' };
}

function showPreview(world: World, session: PortalSession, subscription: string, form: URLSearchParams): PageResponse {
  const change = changeOf(form);
  const preview = previewChange(world, session, subscription, change);
  return show(world, session, { change: { subscription, ...change, quantityError: null, preview } });
}

function showWrongQuantity(
  world: World,
  session: PortalSession,
  subscription: string,
  form: URLSearchParams,
  { message, status }: StripeError,
): PageResponse {
  const change = { subscription, ...changeOf(form), quantityError: message, preview: null };
  return show(world, session, { change }, status);
}

function saveCard(world: World, session: PortalSession, form: URLSearchParams): PageResponse {
  const card = { ...readCard(form, isCardNumber, world.clock.now()), open: true };
  const chosen = form.get('fill');
  if (chosen !== null) return show(world, session, { card: { ...card, number: grouped(chosen), errors: {} } });
  if (Object.keys(card.errors).length > 0) return show(world, session, { card }, 400);
  const result = updateCardFromPortal(world, session, card.number, card.ends);
  if (result.ok) return done(session, 'card');
  return show(world, session, { notice: { good: false, text: result.message }, card }, 402);
}

/** Back to the portal, or where the app wants people to go after the one thing that they came for. */
function done(session: PortalSession, action: string): PageResponse {
  const completion = session.flow?.after_completion as
    | { type?: string; redirect?: { return_url?: string } | null }
    | undefined;
  const leads = completion?.type === 'redirect' ? safeLink(completion.redirect?.return_url) : null;
  return seeOther(leads ?? `${pathOf(session)}?done=${action}`);
}
