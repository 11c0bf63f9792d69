import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TollgateError } from '../platform/errors.ts';
import type { App } from '../platform/http/app.ts';
import { auditCall, buyCall, grantCall, make, portalCall, revokeCall } from './acts.ts';
import { DemoProblem } from './api.ts';
import { DEMO_FEATURES } from './catalog.ts';
import { customerOf, newCustomerCookie } from './customer-cookie.ts';
import { loadExplanation } from './explanation.ts';
import type { Html } from './html.ts';
import type { Message } from './message.ts';
import { isFromThisMachine, isOwnForm } from './own-browser.ts';
import { demoPage } from './page.ts';
import type { AuditEntry } from './page-state.ts';
import { statePanel } from './panel.ts';
import { SCRIPT } from './script.ts';
import { type Demo, type DemoDeps, setUpDemo } from './set-up.ts';
import { customerNow } from './state.ts';
import { STYLE } from './style.ts';
import { loadTimeline } from './timeline.ts';
import { carryOutTour } from './tour.ts';
import { loadTour } from './tour-state.ts';
import { effectPanel, TOUR_DONE, tourAct } from './tour-view.ts';

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');
const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; script-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'`,
  'cache-control': 'no-store',
  // Not `no-referrer`: with it browsers say `Origin: null` when they send a form.
  'referrer-policy': 'same-origin',
};

/** The feature that everything sold gives: the one whose fate the tour explains. */
const TOUR_FEATURE = 'pro_export';
const DAY_MS = 24 * 60 * 60 * 1000;
const LONGEST_FORM_BYTES = 4 * 1024;

/** What the page says after something was done, by the word in its address. */
const DONE: Readonly<Record<string, Message>> = {
  left: { tone: 'plain', text: 'You left the checkout. Nothing was paid, and nothing changed.' },
  portal: { tone: 'plain', text: 'Back from the portal. What you changed there shows within a second or two.' },
  granted: { tone: 'good', text: 'Granted. It holds from now on.' },
  revoked: { tone: 'good', text: 'Revoked. Nothing else gives the feature, so it is off now.' },
  kept: { tone: 'plain', text: 'Revoked. Something else still gives the feature, so it stays on: see why.' },
};

const page = { config: { access: { public: true }, page: true, idempotent: false }, schema: { hide: true } } as const;

/**
 * The newcomer's page at `/` and its forms. Only for a service on the embedded sandbox: the page shows keys, and answers
 * this machine alone.
 * @returns sets the demo project up, once; the page does it as well when nobody did
 */
export function registerDemoRoutes(app: App, deps: DemoDeps): { setUp: () => Promise<Demo> } {
  let settingUp: Promise<Demo> | null = null;
  const setUp = () => {
    settingUp ??= setUpDemo(deps).catch((error: unknown) => {
      settingUp = null;
      throw error;
    });
    return settingUp;
  };
  app.register(async (scope: App) => {
    scope.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string', bodyLimit: LONGEST_FORM_BYTES },
      (_request, text, done) => done(null, new URLSearchParams(text.toString())),
    );
    scope.addHook('onRequest', async (request) => refuseStrangers(request));
    registerViews(scope, setUp);
    registerForms(scope, setUp);
  });
  return { setUp };
}

function refuseStrangers(request: FastifyRequest): void {
  if (!isFromThisMachine(request)) {
    throw new TollgateError('forbidden', 'The demo answers this machine only. Open http://127.0.0.1 with its port.');
  }
  if (request.method === 'POST' && !isOwnForm(request)) {
    throw new TollgateError(
      'forbidden',
      "The form was not sent by the demo's own page. Open / and send it from there.",
    );
  }
}

function registerViews(app: App, setUp: () => Promise<Demo>): void {
  app.get('/', page, async (request, reply) => await showPage(request, reply, await setUp(), null));

  app.get('/demo/state', page, async (request, reply) => {
    const now = await customerNow(await setUp(), customerOf(request.headers.cookie));
    return sendHtml(reply, statePanel(now));
  });

  app.get('/demo/effect', page, async (request, reply) => {
    const demo = await setUp();
    const customerId = customerOf(request.headers.cookie);
    const [now, why, timeline] = await Promise.all([
      customerNow(demo, customerId),
      loadExplanation(demo, customerId, TOUR_FEATURE),
      loadTimeline(demo, customerId),
    ]);
    return sendHtml(reply, effectPanel({ demo, origin: originOf(request), now, why, timeline }));
  });

  app.get('/demo/page.js', page, (_request, reply) =>
    reply.header('content-type', 'text/javascript; charset=utf-8').header('cache-control', 'no-store').send(SCRIPT),
  );
}

/** Where a form leads: an address to go on with. */
type Act = (demo: Demo, form: URLSearchParams, customerId: string, origin: string) => Promise<string>;

function registerForms(app: App, setUp: () => Promise<Demo>): void {
  const form = (name: string, act: Act) => {
    app.post(`/demo/${name}`, { ...page, config: { ...page.config, rawBody: true } }, async (request, reply) => {
      const demo = await setUp();
      const sent = request.body instanceof URLSearchParams ? request.body : new URLSearchParams();
      try {
        const next = await act(demo, sent, customerOf(request.headers.cookie), originOf(request));
        return reply.redirect(next, 303);
      } catch (error) {
        if (!(error instanceof DemoProblem)) throw error;
        return await showPage(request, reply.code(error.status), demo, { tone: 'bad', text: error.message });
      }
    });
  };

  form('buy', async (demo, sent, customerId, origin) => {
    const call = buyCall(demo, origin, customerId, sent.get('lookup_key') ?? '');
    return (await make<{ url: string }>(demo, call)).url;
  });
  form('portal', async (demo, _sent, customerId, origin) => {
    return (await make<{ url: string }>(demo, portalCall(demo, origin, customerId))).url;
  });
  form('grant', async (demo, sent, customerId) => {
    const days = Number(sent.get('days') ?? '');
    const validTo = days > 0 && days <= 365 ? await inDays(demo, customerId, days) : null;
    const call = grantCall(demo, customerId, sent.get('grant') ?? '', sent.get('reason') ?? '', validTo);
    if (call === null) throw new DemoProblem(400, 'invalid_request', 'Choose what to grant.');
    await make(demo, call);
    return '/?did=granted';
  });
  form('revoke', async (demo, sent, customerId) => {
    const call = revokeCall(demo, customerId, sent.get('feature') ?? '', sent.get('reason') ?? '');
    const { still_entitled } = await make<{ still_entitled: boolean }>(demo, call);
    return still_entitled ? `/?did=kept&explain=${encodeURIComponent(sent.get('feature') ?? '')}#why` : '/?did=revoked';
  });
  form('tour', async (demo, sent, customerId, origin) =>
    carryOutTour(sent.get('act') ?? '', { demo, customerId, origin, sent }),
  );

  app.post('/demo/restart', { ...page, config: { ...page.config, rawBody: true } }, (_request, reply) =>
    reply.header('set-cookie', newCustomerCookie()).redirect('/', 303),
  );
}

/** Days from now by the service's own time, which runs ahead once somebody has moved the sandbox's clock. */
async function inDays(demo: Demo, customerId: string, days: number): Promise<string> {
  const { as_of } = await loadExplanation(demo, customerId, DEMO_FEATURES[0]?.code ?? '');
  return new Date(Date.parse(as_of) + days * DAY_MS).toISOString();
}

function originOf(request: FastifyRequest): string {
  return `http://${request.headers.host ?? '127.0.0.1'}`;
}

async function showPage(
  request: FastifyRequest,
  reply: FastifyReply,
  demo: Demo,
  refusal: Message | null,
): Promise<FastifyReply> {
  const query = new URL(request.url, 'http://localhost').searchParams;
  const customerId = customerOf(request.headers.cookie);
  const message = refusal ?? (await messageOf(demo, query));
  const asked = DEMO_FEATURES.find(({ code }) => code === query.get('explain'))?.code;
  const [now, explanation, audit, tour, why, timeline] = await Promise.all([
    customerNow(demo, customerId),
    asked === undefined ? null : loadExplanation(demo, customerId, asked),
    make<{ data: AuditEntry[] }>(demo, auditCall(demo, customerId)),
    loadTour(demo, customerId),
    loadExplanation(demo, customerId, TOUR_FEATURE),
    loadTimeline(demo, customerId),
  ]);
  const origin = originOf(request);
  const did = refusal === null ? tourAct(query.get('did')) : null;
  return sendHtml(
    reply,
    demoPage({ demo, origin, now, message, explanation, audit: audit.data, tour, why, timeline, did }),
  );
}

/** What was done just now. A purchase is looked at through the API, which applies it before the webhook comes. */
async function messageOf({ api, secretKey }: Demo, query: URLSearchParams): Promise<Message | null> {
  const did = query.get('did') ?? '';
  if (did !== 'bought' && did !== 'trial') return DONE[did] ?? TOUR_DONE[did as keyof typeof TOUR_DONE] ?? null;
  try {
    const path = `/checkout/sessions/${encodeURIComponent(query.get('session_id') ?? '')}`;
    const session = await api.call<{ payment_status: string; applied: boolean }>('GET', path, secretKey);
    if (session.applied && did === 'trial') return TOUR_DONE.trial;
    return session.applied
      ? { tone: 'good', text: 'Thank you for the purchase. What it unlocks is on.' }
      : { tone: 'plain', text: 'The payment is under way. What it unlocks turns on when it is settled.' };
  } catch (error) {
    if (error instanceof DemoProblem) return { tone: 'bad', text: error.message };
    throw error;
  }
}

function sendHtml(reply: FastifyReply, content: Html): FastifyReply {
  return reply.headers(HEADERS).send(`<!doctype html>\n${content.text}`);
}
