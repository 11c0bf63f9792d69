import { money } from '../billing/amounts.ts';
import type { Invoice, PaymentMethod, PortalConfiguration, PortalSession, Price, Subscription } from '../model.ts';
import type { World } from '../world.ts';
import { type Html, html, type Part, safeLink } from './html.ts';
import { layout } from './layout.ts';
import { type CardForm, cardChooser, cardFields, PORTAL_CARDS } from './test-cards.ts';
import { day, priceWords, spoken } from './words.ts';

/** What the portal says about what was just done, or why it could not be. */
export interface PortalNotice {
  good: boolean;
  text: string;
}

export interface PortalState {
  session: PortalSession;
  configuration: PortalConfiguration;
  /** Where the forms go: the page's own address. */
  url: string;
  notice: PortalNotice | null;
  card: CardForm;
}

const ENDED = new Set(['canceled', 'incomplete_expired']);
const TAGS: Record<string, string> = {
  active: 'good',
  trialing: 'accent',
  past_due: 'warn',
  unpaid: 'bad',
  paused: 'warn',
};

/** When a subscription that is set to end does so, in Unix seconds; null when it goes on. */
export function endsAt(subscription: Subscription): number | null {
  if (subscription.cancel_at !== null) return subscription.cancel_at;
  return subscription.cancel_at_period_end ? periodEnd(subscription) : null;
}

function periodEnd({ items }: Subscription): number | null {
  const ends = items.data.map((item) => item.current_period_end);
  return ends.length === 0 ? null : Math.max(...ends);
}

/** The customer's subscriptions, newest first, those that ended last. */
function subscriptionsOf(world: World, customer: string): Subscription[] {
  const all = [...world.store.all('subscription', { key: 'customer', value: customer })].reverse();
  return [...all.filter(({ status }) => !ENDED.has(status)), ...all.filter(({ status }) => ENDED.has(status))];
}

function productName(world: World, price: Price): string {
  return world.store.get('product', price.product)?.name ?? price.nickname ?? price.id;
}

/** The prices that the configuration lets a subscription change to, in its own currency. */
export function offeredPrices(world: World, { features }: PortalConfiguration, subscription: Subscription): Price[] {
  const { default_allowed_updates, enabled, products } = features.subscription_update;
  const [item] = subscription.items.data;
  if (!enabled || !default_allowed_updates.includes('price')) return [];
  if (item === undefined || subscription.items.data.length !== 1) return [];
  return products
    .flatMap(({ prices }) => prices)
    .flatMap((id) => world.store.get('price', id) ?? [])
    .filter((price) => price.active && price.recurring !== null && price.currency === subscription.currency)
    .filter((price) => price.id !== item.price.id);
}

function whatNext(subscription: Subscription): string {
  if (ENDED.has(subscription.status)) {
    return subscription.ended_at === null ? 'Ended' : `Ended on ${day(subscription.ended_at)}`;
  }
  const ends = endsAt(subscription);
  if (ends !== null) return `Ends on ${day(ends)} and will not renew`;
  if (subscription.status === 'trialing' && subscription.trial_end !== null) {
    return `Free until ${day(subscription.trial_end)}, then renews`;
  }
  const end = periodEnd(subscription);
  return end === null ? '' : `Renews on ${day(end)}`;
}

function hidden(action: string, subscription: Subscription): Html {
  return html`<input type="hidden" name="action" value="${action}"><input type="hidden" name="subscription" value="${subscription.id}">`;
}

function cancelForm(state: PortalState, subscription: Subscription, open: boolean): Html {
  const atOnce = state.configuration.features.subscription_cancel.mode === 'immediately';
  const end = periodEnd(subscription);
  const words = atOnce || end === null ? 'It ends at once.' : `You keep it until ${day(end)}, and it does not renew.`;
  return html`<details${open ? html` open` : null}><summary>Cancel this plan</summary>
<form method="post" action="${state.url}" class="stack">${hidden('cancel', subscription)}
<p class="soft">${words}</p>
<p><button class="danger">Cancel the plan</button></p></form></details>`;
}

function switchForm(
  world: World,
  state: PortalState,
  subscription: Subscription,
  prices: Price[],
  open: boolean,
): Html {
  const wanted = state.session.flow?.type === 'subscription_update_confirm' ? JSON.stringify(state.session.flow) : '';
  const first = prices.find(({ id }) => wanted.includes(`"${id}"`)) ?? prices[0];
  return html`<details${open ? html` open` : null}><summary>Switch to another plan</summary>
<form method="post" action="${state.url}" class="stack">${hidden('switch', subscription)}
<fieldset><legend class="vh">The new plan</legend>
${prices.map(
  (price) =>
    html`<label class="choice"><input type="radio" name="price" value="${price.id}"${price === first ? html` checked` : null}><span>${productName(world, price)}<br><span class="soft">${priceWords(price)}${price.nickname === null ? null : ` · ${price.nickname}`}</span></span></label>`,
)}</fieldset>
<p><button class="primary">Switch the plan</button></p></form></details>`;
}

function subscriptionItem(world: World, state: PortalState, subscription: Subscription): Html {
  const { features } = state.configuration;
  const over = ENDED.has(subscription.status);
  const ending = endsAt(subscription) !== null;
  const offered = over || ending ? [] : offeredPrices(world, state.configuration, subscription);
  const flow = state.session.flow?.type ?? '';
  return html`<li class="stack">
<div class="row top">
<div class="stack-s">${subscription.items.data.map(
    ({ price, quantity }) =>
      html`<div><h3>${productName(world, price)}${quantity === undefined || quantity === 1 ? null : html` <span class="soft">× ${quantity}</span>`}</h3><p class="soft">${priceWords(price, quantity ?? 1)}</p></div>`,
  )}
<p class="small soft">${whatNext(subscription)}</p></div>
<span class="tag ${ending ? 'warn' : (TAGS[subscription.status] ?? '')}">${ending && !over ? 'ending' : spoken(subscription.status)}</span>
</div>
${
  over
    ? null
    : html`<div class="stack">
${
  ending
    ? html`<form method="post" action="${state.url}">${hidden('resume', subscription)}<button class="primary">Keep the plan</button></form>`
    : null
}
${offered.length > 0 ? switchForm(world, state, subscription, offered, flow.startsWith('subscription_update')) : null}
${features.subscription_cancel.enabled && !ending ? cancelForm(state, subscription, flow === 'subscription_cancel') : null}
</div>`
}
</li>`;
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
    : html`<ul class="plain lines">${subscriptions.map((subscription) => subscriptionItem(world, state, subscription))}</ul>`
}</section>
${cardSection(world, state)}
${configuration.features.invoice_history.enabled ? invoices(world, session) : null}
</main>`,
  );
}
