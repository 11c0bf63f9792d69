import { type Html, html } from './html.ts';
import { layout } from './layout.ts';

/**
 * What the buyer's bank would show: the step that a card with 3-D Secure asks for. Its buttons send `authentication`.
 * @param fields - what is sent along, unseen; empty values are left out
 */
export function authenticationPage(
  url: string,
  last4: string,
  amount: string | null,
  fields: Readonly<Record<string, string>>,
): Html {
  return layout(
    'Confirm with your bank',
    html`<main class="wrap narrow"><form class="card stack" method="post" action="${url}">
<p class="small soft">3-D Secure</p>
<h1>Confirm with your bank</h1>
<p class="soft">The card ending in ${last4} asks you to confirm the payment${amount === null ? null : ` of ${amount}`}. A real bank would want a code or a fingerprint here.</p>
${Object.entries(fields).map(([name, value]) =>
  value === '' ? null : html`<input type="hidden" name="${name}" value="${value}">`,
)}
<p class="actions"><button class="primary" name="authentication" value="succeeded">Confirm</button>
<button name="authentication" value="failed">Refuse</button></p>
</form></main>`,
  );
}
