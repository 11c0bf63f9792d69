import type { PortalConfiguration, PortalSession, Price, Subscription } from '../model.ts';
import { quantityRangeOf } from '../resources/portal-change.ts';
import type { World } from '../world.ts';
import { type Html, html } from './html.ts';
import { type PlanChangeState, previewBox, REASONS } from './portal-change-view.ts';
import { day, priceWords, spoken } from './words.ts';

/** What the plans' part of the portal is made from. */
export interface PlansState {
  session: PortalSession;
  configuration: PortalConfiguration;
  /** Where the forms go: the page's own address. */
  url: string;
  change: PlanChangeState | null;
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
export function subscriptionsOf(world: World, customer: string): Subscription[] {
  const all = [...world.store.all('subscription', { key: 'customer', value: customer })].reverse();
  return [...all.filter(({ status }) => !ENDED.has(status)), ...all.filter(({ status }) => ENDED.has(status))];
}

function productName(world: World, price: Price): string {
  return world.store.get('product', price.product)?.name ?? price.nickname ?? price.id;
}

/** The prices that the configuration lets a subscription change to, in its own currency. */
function offeredPrices(world: World, { features }: PortalConfiguration, subscription: Subscription): Price[] {
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

function reasonFields(state: PlansState, { id }: Subscription): Html | null {
  const { enabled, options } = state.configuration.features.subscription_cancel.cancellation_reason;
  if (!enabled) return null;
  return html`<div><label for="why-${id}">Why? <span class="soft">(if you like to say)</span></label>
<select id="why-${id}" name="feedback"><option value="">No answer</option>${options.map(
    (option) => html`<option value="${option}">${REASONS[option] ?? spoken(option)}</option>`,
  )}</select></div>
<div><label for="comment-${id}">In your own words</label><input id="comment-${id}" name="comment" maxlength="500" autocomplete="off"></div>`;
}

function cancelForm(state: PlansState, subscription: Subscription, open: boolean): Html {
  const atOnce = state.configuration.features.subscription_cancel.mode === 'immediately';
  const end = periodEnd(subscription);
  const words = atOnce || end === null ? 'It ends at once.' : `You keep it until ${day(end)}, and it does not renew.`;
  return html`<details${open ? html` open` : null}><summary>Cancel this plan</summary>
<form method="post" action="${state.url}" class="stack">${hidden('cancel', subscription)}
<p class="soft">${words}</p>
${reasonFields(state, subscription)}
<p><button class="danger">Cancel the plan</button></p></form></details>`;
}

function priceChoices(world: World, state: PlansState, prices: readonly Price[], current: Price): Html {
  const flow = state.session.flow?.type === 'subscription_update_confirm' ? JSON.stringify(state.session.flow) : '';
  const chosen =
    prices.find(({ id }) => id === state.change?.price) ??
    prices.find(({ id }) => flow.includes(`"${id}"`)) ??
    prices[0];
  return html`<fieldset><legend class="vh">The new plan</legend>
${prices.map(
  (price) =>
    html`<label class="choice"><input type="radio" name="price" value="${price.id}"${price === chosen ? html` checked` : null}><span>${productName(world, price)}${price.id === current.id ? html` <span class="tag">now</span>` : null}<br><span class="soft">${priceWords(price)}${price.nickname === null ? null : ` · ${price.nickname}`}</span></span></label>`,
)}</fieldset>`;
}

function quantityField(
  state: PlansState,
  { id }: Subscription,
  range: { minimum: number; maximum: number },
  has: number,
): Html {
  const change = state.change?.subscription === id ? state.change : null;
  const error = change?.quantityError ?? null;
  return html`<div><label for="quantity-${id}">Quantity</label>
<input id="quantity-${id}" name="quantity" type="number" inputmode="numeric" min="${range.minimum}" max="${range.maximum}" value="${change?.quantity || has}"${
    error === null ? null : html` aria-invalid="true" aria-describedby="quantity-${id}-error" autofocus`
  }>${error === null ? null : html`<p class="error" id="quantity-${id}-error">${error}</p>`}</div>`;
}

/** Another plan, another quantity, or both; first comes what it costs. */
function changeForm(world: World, state: PlansState, subscription: Subscription, open: boolean): Html | null {
  const [item] = subscription.items.data;
  const offered = offeredPrices(world, state.configuration, subscription);
  const range =
    item === undefined || subscription.items.data.length > 1 ? null : quantityRangeOf(state.configuration, item.price);
  if (item === undefined || (offered.length === 0 && range === null)) return null;
  const prices = range === null ? offered : [item.price, ...offered];
  const mine = state.change?.subscription === subscription.id ? state.change : null;
  if (mine?.preview) return previewBox(state.url, productName(world, mine.preview.price), mine, mine.preview);
  const title =
    range === null
      ? 'Switch to another plan'
      : offered.length === 0
        ? 'Change the quantity'
        : 'Change plan or quantity';
  return html`<details${open || mine !== null ? html` open` : null}><summary>${title}</summary>
<form method="post" action="${state.url}" class="stack" novalidate>${hidden('preview', subscription)}
${offered.length === 0 ? null : priceChoices(world, state, prices, item.price)}
${range === null ? null : quantityField(state, subscription, range, item.quantity ?? 1)}
<p><button class="primary">See what it costs</button></p></form></details>`;
}

export function planItem(world: World, state: PlansState, subscription: Subscription): Html {
  const { features } = state.configuration;
  const over = ENDED.has(subscription.status);
  const ending = endsAt(subscription) !== null;
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
${ending ? null : changeForm(world, state, subscription, flow.startsWith('subscription_update'))}
${features.subscription_cancel.enabled && !ending ? cancelForm(state, subscription, flow === 'subscription_cancel') : null}
</div>`
}
</li>`;
}
