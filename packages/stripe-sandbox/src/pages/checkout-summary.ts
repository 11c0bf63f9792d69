import { amountFor, money } from '../billing/amounts.ts';
import { quantityRange } from '../checkout/adjust-quantity.ts';
import { couponsOf } from '../checkout/session-amounts.ts';
import type { CheckoutSession, Interval, LineItem } from '../model.ts';
import type { World } from '../world.ts';
import { type Html, html, safeLink } from './html.ts';
import { count, day, every } from './words.ts';

/** The pay form's id: the quantities stand beside what they are of, and are sent with it. */
export const PAY_FORM = 'pay';

/** What somebody typed in place of a line's quantity, and what is wrong with it; by the lines' ids. */
export interface TypedQuantities {
  typed: ReadonlyMap<string, string>;
  errors: ReadonlyMap<string, string>;
}

/** When the trial ends, in Unix seconds; null without one. */
export function trialEnd(world: World, session: CheckoutSession): number | null {
  const { trialDays, trialEnd: end } = session.$.subscription;
  if (session.mode !== 'subscription') return null;
  return end ?? (trialDays === null ? null : world.clock.now() + trialDays * 86_400);
}

function quantityField(
  { id, description, quantity }: LineItem,
  range: { minimum: number; maximum: number },
  quantities: TypedQuantities,
): Html {
  const error = quantities.errors.get(id);
  return html`<p class="quantity"><label class="small" for="q-${id}">Quantity<span class="vh"> of ${description}</span></label>
<input id="q-${id}" form="${PAY_FORM}" name="quantity.${id}" type="number" inputmode="numeric" min="${range.minimum}" max="${range.maximum}" value="${quantities.typed.get(id) ?? quantity}"${
    error === undefined ? null : html` aria-invalid="true" aria-describedby="q-${id}-error" autofocus`
  }><button form="${PAY_FORM}" name="adjust" value="1" formnovalidate>Update</button></p>
${error === undefined ? null : html`<p class="error" id="q-${id}-error">${error}</p>`}`;
}

function lineItem(line: LineItem, quantities: TypedQuantities): Html {
  const { description, quantity, price } = line;
  const range = quantityRange(line);
  return html`<li class="row top">
<div><p>${description}</p>${
    quantity > 1 || range !== null
      ? html`<p class="small soft">${quantity} × ${money(amountFor(price, 1), price.currency)}</p>`
      : null
  }${range === null ? null : quantityField(line, range, quantities)}</div>
<p class="right"><span class="num">${money(amountFor(price, quantity), price.currency)}</span>${
    price.recurring === null ? null : html`<br><span class="small soft">${every(price.recurring)}</span>`
  }</p>
</li>`;
}

/** What comes after today: how much, and how often. */
interface Later {
  amount: number;
  recurring: { interval: Interval; interval_count: number };
  /** For how many months a discount lowers it; null where none ends. */
  discountMonths: number | null;
}

/** Null where nothing recurs, or not all of it at the same time. */
function laterOf(world: World, session: CheckoutSession): Later | null {
  const lines = session.$.lines.filter(({ price }) => price.recurring !== null);
  const [first] = lines;
  if (first === undefined || first.price.recurring === null) return null;
  if (new Set(lines.map(({ price }) => price.recurring && every(price.recurring))).size > 1) return null;
  const coupons = couponsOf(world, session);
  const lasts = coupons.length > 0 && coupons.every(({ duration }) => duration === 'forever');
  const full = lines.reduce((sum, { price, quantity }) => sum + amountFor(price, quantity), 0);
  const less = lasts ? lines.reduce((sum, { amount_discount }) => sum + amount_discount, 0) : 0;
  const months = coupons.flatMap(({ duration, duration_in_months }) =>
    duration === 'repeating' && duration_in_months !== null ? [duration_in_months] : [],
  );
  return {
    amount: full - less,
    recurring: first.price.recurring,
    discountMonths: months.length > 0 ? Math.max(...months) : null,
  };
}

function laterNote(world: World, session: CheckoutSession, later: Later): Html {
  const amount = `${money(later.amount, session.currency ?? 'usd')} ${every(later.recurring)}`;
  const end = trialEnd(world, session);
  const days = session.$.subscription.trialDays;
  const discount =
    later.discountMonths === null ? null : html` The discount holds for ${count(later.discountMonths, 'month')}.`;
  if (end === null) return html`<p class="soft">Then ${amount}, until canceled.${discount}</p>`;
  return html`<p class="soft">${days === null ? 'Free' : `${count(days, 'day')} free`}, until ${day(end)}. Then ${amount}, unless canceled before.${discount}</p>`;
}

function headline(world: World, session: CheckoutSession): Html {
  const currency = session.currency ?? 'usd';
  const total = session.amount_total ?? 0;
  const inTrial = trialEnd(world, session) !== null;
  const later = laterOf(world, session);
  // What is due today is what is due each time: nothing more needs to be said.
  const same = later !== null && !inTrial && later.amount === total && later.discountMonths === null;
  const subscribes = session.mode === 'subscription';
  return html`<h1 class="soft small">${inTrial ? 'Start your trial' : subscribes ? 'Subscribe' : 'Pay'}</h1>
<p><span class="price num">${money(total, currency)}</span> <span class="soft">${same ? every(later.recurring) : subscribes ? 'due today' : null}</span></p>
${later === null || same ? null : laterNote(world, session, later)}`;
}

/** The left side: what is bought, for how much, and the way out. */
export function summary(world: World, session: CheckoutSession, quantities: TypedQuantities): Html {
  const back = safeLink(session.cancel_url);
  const currency = session.currency ?? 'usd';
  const discount = session.total_details.amount_discount;
  return html`<div class="summary"><div class="inner stack">
${back === null ? null : html`<p class="small"><a href="${back}">← Leave without paying</a></p>`}
${
  session.mode === 'setup'
    ? html`<h1>Save a card</h1><p class="soft">Nothing is charged now. The card is kept for later payments.</p>`
    : html`${headline(world, session)}
<div>
<h2 class="vh">What you buy</h2>
<ul class="plain lines">${session.$.lines.map((line) => lineItem(line, quantities))}</ul>
${discount > 0 ? html`<p class="row discount"><span>Discount${couponsOf(world, session).map(({ name }) => (name === null ? null : html` <span class="soft">${name}</span>`))}</span><span class="num">−${money(discount, currency)}</span></p>` : null}
<p class="row total"><span>Total due today</span><span class="num">${money(session.amount_total ?? 0, currency)}</span></p>
</div>`
}
</div></div>`;
}
