import { money } from '../billing/amounts.ts';
import type { ChangePreview } from '../resources/portal-change.ts';
import { type Html, html } from './html.ts';
import { day, priceWords } from './words.ts';

/** What somebody is about to change, and what is wrong with it or what it costs. */
export interface PlanChangeState {
  subscription: string;
  price: string;
  quantity: string;
  quantityError: string | null;
  preview: ChangePreview | null;
}

/** Why somebody cancels, as people say it; by Stripe's words. */
export const REASONS: Readonly<Record<string, string>> = {
  customer_service: 'The customer service',
  low_quality: 'It is not good enough',
  missing_features: 'Something is missing',
  other: 'Another reason',
  switched_service: 'I use something else now',
  too_complex: 'It is too complicated',
  too_expensive: 'It costs too much',
  unused: 'I do not use it',
};

function nowWords({ dueNow, lines, later, price, renewsAt }: ChangePreview): Html {
  if (lines.length > 0) {
    return html`<ul class="plain">${lines.map(
      ({ description, amount }) =>
        html`<li class="row top small"><span>${description}</span><span class="num">${money(amount, price.currency)}</span></li>`,
    )}</ul>
<p class="row total"><span>Charged now</span><span class="num">${money(dueNow, price.currency)}</span></p>`;
  }
  const next = `the invoice of ${day(renewsAt)}`;
  const rest =
    later === 0
      ? null
      : later > 0
        ? ` ${money(later, price.currency)} for the rest of this period come on top of ${next}.`
        : ` ${money(-later, price.currency)} for the rest of this period are taken off ${next}.`;
  return html`<p><strong>Nothing is charged now.</strong>${rest}</p>`;
}

/** What a change costs, before it is made. */
export function previewBox(url: string, product: string, change: PlanChangeState, preview: ChangePreview): Html {
  const { price, quantity, renewsAt } = preview;
  const { subscription } = change;
  const hidden = { action: 'switch', subscription, price: change.price, quantity: change.quantity };
  return html`<section class="box stack" aria-labelledby="preview-${subscription}">
<h3 id="preview-${subscription}">${product}${quantity === 1 ? null : ` × ${quantity}`}, ${priceWords(price, quantity)}</h3>
${nowWords(preview)}
<p class="soft">Then ${priceWords(price, quantity)}, from ${day(renewsAt)}.</p>
<form method="post" action="${url}" class="actions">${Object.entries(hidden).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  )}
<button class="primary" autofocus>Confirm the change</button> <a class="button" href="${url}">Back</a></form>
</section>`;
}
