import { money } from '../billing/amounts.ts';
import type { Invoice, PaymentMethod, PortalSession } from '../model.ts';
import type { World } from '../world.ts';
import { type Html, html, type Part, safeLink } from './html.ts';
import { layout } from './layout.ts';
import { type PlansState, planItem, subscriptionsOf } from './portal-plans.ts';
import { type CardForm, cardChooser, cardFields, PORTAL_CARDS } from './test-cards.ts';
import { day } from './words.ts';

/** What the portal says about what was just done, or why it could not be. */
export interface PortalNotice {
  good: boolean;
  text: string;
}

export interface PortalState extends PlansState {
  notice: PortalNotice | null;
  card: CardForm;
}

function cardWords(method: PaymentMethod | undefined): string {
  if (method?.card !== undefined) {
    const { brand, last4, exp_month, exp_year } = method.card;
    return `${brand[0]?.toUpperCase() ?? ''}${brand.slice(1)} ending in ${last4}, until ${exp_month}/${exp_year}`;
  }
  return method === undefined ? 'No card is kept.' : `Bank account ending in ${method.sepa_debit?.last4 ?? '····'}`;
}

/** What the customer's invoices are paid with. */
function defaultMethod(world: World, session: PortalSession): PaymentMethod | undefined {
  const customer = world.store.get('customer', session.customer);
  const ids = [
    customer?.invoice_settings.default_payment_method,
    ...subscriptionsOf(world, session.customer).map((subscription) => subscription.default_payment_method),
  ];
  const id = ids.find((candidate) => candidate !== null && candidate !== undefined);
  return id ? world.store.get('payment_method', id) : undefined;
}

function cardSection(world: World, state: PortalState): Html {
  const open = state.session.flow?.type === 'payment_method_update' || state.card.open === true;
  return html`<section class="card stack" aria-labelledby="card"><h2 id="card">Payment method</h2>
<p>${cardWords(defaultMethod(world, state.session))}</p>
${
  state.configuration.features.payment_method_update.enabled
    ? html`<details${open ? html` open` : null}><summary>Use another card</summary>
<form method="post" action="${state.url}" class="stack" novalidate><input type="hidden" name="action" value="card">
${cardFields(state.card, false)}
<p><button class="primary">Save the card</button></p>
${cardChooser(state.card.number, PORTAL_CARDS)}</form></details>`
    : null
}</section>`;
}

function invoiceTag(status: Invoice['status']): Html {
  const kind = status === 'paid' ? 'good' : status === 'open' ? 'warn' : status === 'uncollectible' ? 'bad' : '';
  return html`<span class="tag ${kind}">${status}</span>`;
}

function invoices(world: World, session: PortalSession): Html {
  const all = [...world.store.all('invoice', { key: 'customer', value: session.customer })].reverse().slice(0, 24);
  return html`<section class="card stack" aria-labelledby="invoices"><h2 id="invoices">Invoices</h2>
${
  all.length === 0
    ? html`<p class="soft">There are none yet.</p>`
    : html`<div class="scroll" tabindex="0" role="region" aria-labelledby="invoices"><table><thead><tr><th scope="col">Invoice</th><th scope="col">Status</th><th scope="col" class="right">Amount</th></tr></thead>
<tbody>${all.map(
        (invoice) =>
          html`<tr><td class="num">${day(invoice.created)}${invoice.number === null ? null : html`<br><span class="small soft">${invoice.number}</span>`}</td><td>${invoiceTag(invoice.status)}</td><td class="right num">${money(invoice.total, invoice.currency)}</td></tr>`,
      )}</tbody></table></div>`
}</section>`;
}

/** The page on which a customer looks after what they bought. */
export function portalPage(world: World, state: PortalState): Html {
  const { session, configuration, notice } = state;
  const customer = world.store.get('customer', session.customer);
  const subscriptions = subscriptionsOf(world, session.customer);
  const back = safeLink(session.return_url ?? configuration.default_return_url);
  const headline: Part = configuration.business_profile.headline;
  return layout(
    'Your billing',
    html`<main class="wrap narrow stack-l">
<header class="stack-s">
${back === null ? null : html`<p class="small"><a href="${back}">← Back to the app</a></p>`}
<h1>Your billing</h1>
<p class="soft">${headline ?? null}${headline && customer ? ' · ' : null}${customer?.email ?? customer?.name ?? customer?.id}</p>
</header>
<div role="status" aria-live="polite">${notice === null ? null : html`<p class="notice ${notice.good ? 'good' : 'bad'}">${notice.text}</p>`}</div>
<section class="card stack" aria-labelledby="plans"><h2 id="plans">Plans</h2>
${
  subscriptions.length === 0
    ? html`<p class="soft">There is no subscription.</p>`
    : html`<ul class="plain lines">${subscriptions.map((subscription) => planItem(world, state, subscription))}</ul>`
}</section>
${cardSection(world, state)}
${configuration.features.invoice_history.enabled ? invoices(world, session) : null}
</main>`,
  );
}
