import { buyCall, checkCall, explainCall, GRANTS, grantCall, PLANS, portalCall, revokeCall } from './acts.ts';
import { DEMO_FEATURES } from './catalog.ts';
import { type Call, curlLine } from './curl.ts';
import { explanationWords } from './explanation.ts';
import { type Html, html, type Part } from './html.ts';
import type { PageState } from './page-state.ts';
import { priceWords } from './words.ts';

interface Step {
  title: string;
  done: boolean;
  content: Part;
  call: Call | null;
}

function step(origin: string, { title, done, content, call }: Step): Html {
  return html`<li class="stack${done ? ' done' : ''}"><h2>${title}${done ? html`<span class="vh"> (done)</span>` : null}</h2>
${content}
${call === null ? null : html`<details><summary>The same with curl</summary><pre><code>${curlLine(origin, call)}</code></pre></details>`}
</li>`;
}

function options(choices: readonly { value: string; name: string }[], chosen: string | null): Html[] {
  return choices.map(
    ({ value, name }) => html`<option value="${value}"${value === chosen ? html` selected` : null}>${name}</option>`,
  );
}

const FEATURE_CHOICES = DEMO_FEATURES.map(({ code, name }) => ({ value: code, name }));

function buyStep({ demo, origin, now }: PageState, bought: boolean): Step {
  return {
    title: 'Buy something',
    done: bought,
    content: html`<p class="soft">Sketchbook is an app that does not exist. Choose what to buy; the checkout page is the sandbox's, and the card <code>4242 4242 4242 4242</code> pays.</p>
<form method="post" action="/demo/buy" class="card stack"><fieldset><legend class="vh">What to buy</legend>
${PLANS.map(
  (plan, index) =>
    html`<label class="choice"><input type="radio" name="lookup_key" value="${plan.lookup_key}"${index === 0 ? html` checked` : null}><span class="row"><span>${plan.nickname}${plan.quantity > 1 ? `, ${plan.quantity} seats` : null}<br><span class="soft small">${plan.product.description}</span></span><span class="num">${priceWords({ ...plan, unit_amount: plan.unit_amount * plan.quantity })}</span></span></label>`,
)}</fieldset>
<p><button class="primary">Go to the checkout</button></p></form>`,
    call: buyCall(demo, origin, now.customerId, PLANS[0]?.lookup_key ?? ''),
  };
}

function watchStep({ demo, now }: PageState, bought: boolean): Step {
  return {
    title: 'Watch it turn on',
    done: bought,
    content: html`<p class="soft">Stripe tells Tollgate, Tollgate fetches the object and works out what it unlocks. The list <a href="#now">“What ${now.customerId} may do now”</a> follows by itself. Your app asks one question, and gets yes or no at once.</p>`,
    call: checkCall(demo, now.customerId, 'pro_export'),
  };
}

function explainStep({ demo, now, explanation }: PageState): Step {
  const feature = explanation?.feature ?? 'pro_export';
  return {
    title: 'See why',
    done: explanation !== null,
    content: html`<p class="soft">Every answer can be explained: which subscription, purchase or grant gives it, from when until when, and which one decides.</p>
<form method="get" action="/#why" class="ask"><div><label for="explain">Feature</label><select id="explain" name="explain">${options(FEATURE_CHOICES, feature)}</select></div><div><button>Explain</button></div></form>
${explanation === null ? null : html`<div class="card" id="why" role="status">${explanationWords(explanation, demo.names)}</div>`}`,
    call: explainCall(demo, now.customerId, feature),
  };
}

function cancelStep({ demo, origin, now }: PageState, canceled: boolean): Step {
  return {
    title: 'Cancel in the portal',
    done: canceled,
    content: html`<p class="soft">The portal is where customers look after what they pay for. Cancel the plan there: what is paid stays until the period's end, and the list says so.</p>
<form method="post" action="/demo/portal"><button>Open the portal</button></form>`,
    call: portalCall(demo, origin, now.customerId),
  };
}

function grantStep({ demo, now }: PageState, granted: boolean): Step {
  return {
    title: 'Grant something by hand',
    done: granted,
    content: html`<p class="soft">Support can give a feature without a payment, for good or for a while. The reason goes into the audit trail.</p>
<form method="post" action="/demo/grant" class="card stack"><div class="fields">
<div><label for="grant">What</label><select id="grant" name="grant">${options(
      GRANTS.map(({ id, name }) => ({ value: id, name })),
      null,
    )}</select></div>
<div><label for="days">How long</label><select id="days" name="days"><option value="">Without end</option><option value="30">30 days</option></select></div></div>
<div><label for="grant-reason">Reason</label><input id="grant-reason" name="reason" value="An apology for the outage" maxlength="200" required></div>
<p><button class="primary">Grant</button></p></form>`,
    call: grantCall(demo, now.customerId, 'priority_support', 'An apology for the outage', null),
  };
}

function revokeStep({ demo, now }: PageState, grantedCodes: readonly string[], revoked: boolean): Step {
  return {
    title: 'Revoke it',
    done: revoked,
    content: html`<p class="soft">Revoking takes a grant back, and only that: what was paid for stays. The answer says what is left.</p>
<form method="post" action="/demo/revoke" class="card stack">
<div><label for="revoke">Feature</label><select id="revoke" name="feature">${options(FEATURE_CHOICES, grantedCodes[0] ?? 'priority_support')}</select></div>
<div><label for="revoke-reason">Reason</label><input id="revoke-reason" name="reason" value="Granted by mistake" maxlength="200" required></div>
<p><button>Revoke the grants</button></p></form>`,
    call: revokeCall(demo, now.customerId, 'priority_support', 'Granted by mistake'),
  };
}

/** The steps of the first minute, those that are done marked. */
export function stepList(state: PageState): Html {
  const { now, origin } = state;
  const sources = now.features.flatMap((feature) => feature.sources.map((source) => ({ ...source, feature })));
  const bought = sources.some(({ type }) => type !== 'grant');
  const canceled = sources.some(({ type, will_renew }) => type === 'subscription' && will_renew === false);
  const granted = sources.filter(({ type }) => type === 'grant').map(({ feature }) => feature.known.code);
  const wasGranted = state.audit.some(({ action }) => action.startsWith('grant.'));
  const revoked = state.audit.some(({ action }) => /revo/.test(action));
  const steps = [
    buyStep(state, bought),
    watchStep(state, bought),
    explainStep(state),
    cancelStep(state, canceled),
    grantStep(state, granted.length > 0 || wasGranted),
    revokeStep(state, granted, revoked),
  ];
  return html`<ol class="steps">${steps.map((one) => step(origin, one))}</ol>`;
}
