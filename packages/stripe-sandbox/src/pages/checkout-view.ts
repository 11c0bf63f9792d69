import { amountFor, money } from '../billing/amounts.ts';
import type { CheckoutSession, LineItem } from '../model.ts';
import { needsMethod } from '../resources/checkout-sessions.ts';
import type { World } from '../world.ts';
import { type Html, html, safeLink } from './html.ts';
import { layout } from './layout.ts';
import { type CardForm, cardChooser, cardFields } from './test-cards.ts';
import { count, day, every } from './words.ts';

/** What the pay form shows besides the session. */
export interface CheckoutForm {
  email: string;
  emailError?: string | undefined;
  card: CardForm;
  /** As typed; only where the session takes codes. */
  promotionCode: string;
  promotionError?: string;
  /** Why the last attempt did not go through. */
  refusal: string | null;
}

/** The e-mail address that the shop has given already; the buyer does not choose another. */
export function knownEmail(world: World, session: CheckoutSession): string | null {
  const customer = session.customer === null ? undefined : world.store.get('customer', session.customer);
  return customer?.email ?? session.customer_email;
}

/** When the trial ends, in Unix seconds; null without one. */
function trialEnd(world: World, session: CheckoutSession): number | null {
  const { trialDays, trialEnd: end } = session.$.subscription;
  if (session.mode !== 'subscription') return null;
  return end ?? (trialDays === null ? null : world.clock.now() + trialDays * 86_400);
}

function lineItem({ description, quantity, price }: LineItem): Html {
  return html`<li class="row top">
<div><p>${description}</p>${
    quantity > 1 ? html`<p class="small soft">${quantity} × ${money(amountFor(price, 1), price.currency)}</p>` : null
  }</div>
<p class="right"><span class="num">${money(amountFor(price, quantity), price.currency)}</span>${
    price.recurring === null ? null : html`<br><span class="small soft">${every(price.recurring)}</span>`
  }</p>
</li>`;
}

function trialNote(world: World, session: CheckoutSession, currency: string): Html | null {
  const end = trialEnd(world, session);
  if (end === null) return null;
  const recurring = session.$.lines.filter(({ price }) => price.recurring !== null);
  const [first] = recurring;
  if (first === undefined || first.price.recurring === null) return null;
  const later = recurring.reduce((sum, { price, quantity }) => sum + amountFor(price, quantity), 0);
  const days = session.$.subscription.trialDays;
  return html`<p class="soft">${days === null ? 'Free' : `${count(days, 'day')} free`}, until ${day(end)}. Then ${money(later, currency)} ${every(first.price.recurring)}, unless canceled before.</p>`;
}

function summary(world: World, session: CheckoutSession): Html {
  const back = safeLink(session.cancel_url);
  const currency = session.currency ?? 'usd';
  const { lines } = session.$;
  const total = session.amount_total ?? 0;
  const [first] = lines;
  const cadence = lines.length === 1 && first?.price.recurring ? every(first.price.recurring) : null;
  const inTrial = trialEnd(world, session) !== null;
  return html`<div class="summary"><div class="inner stack">
${back === null ? null : html`<p class="small"><a href="${back}">← Leave without paying</a></p>`}
${
  session.mode === 'setup'
    ? html`<h1>Save a card</h1><p class="soft">Nothing is charged now. The card is kept for later payments.</p>`
    : html`<h1 class="soft small">${inTrial ? 'Start your trial' : cadence === null ? 'Pay' : 'Subscribe'}</h1>
<p><span class="price num">${money(total, currency)}</span> <span class="soft">${inTrial ? 'due today' : cadence}</span></p>
${trialNote(world, session, currency)}
<div>
<h2 class="vh">What you buy</h2>
<ul class="plain lines">${lines.map(lineItem)}</ul>
${session.total_details.amount_discount > 0 ? html`<p class="row"><span>Discount</span><span class="num">−${money(session.total_details.amount_discount, currency)}</span></p>` : null}
<p class="row total"><span>Total due today</span><span class="num">${money(total, currency)}</span></p>
</div>`
}
</div></div>`;
}

function buttonText(world: World, session: CheckoutSession): string {
  if (session.mode === 'setup') return 'Save the card';
  if (trialEnd(world, session) !== null) return 'Start the trial';
  const total = session.amount_total ?? 0;
  if (total === 0) return session.mode === 'subscription' ? 'Subscribe' : 'Complete the order';
  return session.mode === 'subscription' ? 'Subscribe' : `Pay ${money(total, session.currency ?? 'usd')}`;
}

function emailField(known: string | null, form: CheckoutForm): Html {
  if (known !== null) {
    return html`<div><p class="small soft">E-mail</p><p>${known}</p></div>`;
  }
  return html`<div>
<label for="email">E-mail</label>
<input id="email" name="email" type="email" autocomplete="email" placeholder="you@example.com" required value="${form.email}"${
    form.emailError === undefined ? null : html` aria-invalid="true" aria-describedby="email-error" autofocus`
  }>
${form.emailError === undefined ? null : html`<p class="error" id="email-error">${form.emailError}</p>`}
</div>`;
}

/**
 * The field for a promotion code. Its button stands after the form's own, as those of the test cards do, so that Enter
 * pays, with the code.
 */
function promotionField(session: CheckoutSession, form: CheckoutForm): Html | null {
  if (session.allow_promotion_codes !== true) return null;
  const used = session.discounts.some(({ promotion_code }) => promotion_code !== null);
  return html`<div class="chooser">
<label for="promotion_code">Promotion code</label>
<div class="with-button"><input id="promotion_code" name="promotion_code" autocomplete="off" maxlength="60" value="${form.promotionCode}"${
    form.promotionError === undefined
      ? null
      : html` aria-invalid="true" aria-describedby="promotion_code-error" autofocus`
  }><button name="apply" value="1" formnovalidate>Apply</button></div>
${form.promotionError === undefined ? null : html`<p class="error" id="promotion_code-error">${form.promotionError}</p>`}
${used && form.promotionError === undefined ? html`<p class="small soft" role="status">The code is applied.</p>` : null}
</div>`;
}

/** The page on which somebody pays. */
export function checkoutPage(world: World, session: CheckoutSession, payUrl: string, form: CheckoutForm): Html {
  const card = needsMethod(session);
  return layout(
    session.mode === 'setup' ? 'Save a card' : 'Checkout',
    html`<main class="pay">
${summary(world, session)}
<div class="form"><form class="inner stack" method="post" action="${payUrl}" novalidate>
<h2>${card ? 'Pay by card' : 'Your details'}</h2>
<div role="alert" aria-live="assertive">${form.refusal === null ? null : html`<p class="notice bad" id="refusal">${form.refusal}</p>`}</div>
${emailField(knownEmail(world, session), form)}
${card ? cardFields(form.card, form.refusal !== null) : null}
<p><button class="primary wide">${buttonText(world, session)}</button></p>
${promotionField(session, form)}
${card ? cardChooser(form.card.number) : null}
</form></div>
</main>`,
  );
}
