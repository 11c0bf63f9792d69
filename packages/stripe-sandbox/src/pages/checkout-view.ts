import { money } from '../billing/amounts.ts';
import { quantityRange } from '../checkout/adjust-quantity.ts';
import type { CheckoutSession } from '../model.ts';
import { needsMethod } from '../resources/checkout-sessions.ts';
import type { World } from '../world.ts';
import { PAY_FORM, summary, type TypedQuantities, trialEnd } from './checkout-summary.ts';
import { type Html, html } from './html.ts';
import { layout } from './layout.ts';
import { type CardForm, cardChooser, cardFields } from './test-cards.ts';

/** What the pay form shows besides the session. */
export interface CheckoutForm {
  email: string;
  emailError?: string | undefined;
  card: CardForm;
  /** As typed; only where the session takes codes. */
  promotionCode: string;
  promotionError?: string;
  quantities: TypedQuantities;
  /** Why the last attempt did not go through. */
  refusal: string | null;
}

/** The e-mail address that the shop has given already; the buyer does not choose another. */
export function knownEmail(world: World, session: CheckoutSession): string | null {
  const customer = session.customer === null ? undefined : world.store.get('customer', session.customer);
  return customer?.email ?? session.customer_email;
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
  // The first button of a form is the one that Enter presses: it has to pay, not to update a quantity.
  const adjustable = session.$.lines.some((line) => quantityRange(line) !== null);
  return layout(
    session.mode === 'setup' ? 'Save a card' : 'Checkout',
    html`<main class="pay">
${adjustable ? html`<button form="${PAY_FORM}" class="vh" tabindex="-1" aria-hidden="true">Pay</button>` : null}
${summary(world, session, form.quantities)}
<div class="form"><form id="${PAY_FORM}" class="inner stack" method="post" action="${payUrl}" novalidate>
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
