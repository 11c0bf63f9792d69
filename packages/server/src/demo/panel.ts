import { type Html, html } from './html.ts';
import type { CustomerNow, FeatureNow } from './state.ts';
import { moment, reasonWords, valueWords } from './words.ts';

/** When the last of the paid periods that give a feature renews; `valid_to` is later, by the slack. */
function renewalOf({ reason, sources }: FeatureNow): string | null {
  if (reason !== 'subscription_active') return null;
  const renewals = sources.flatMap((source) =>
    source.reason === reason && source.will_renew === true && source.period_end ? [source.period_end] : [],
  );
  return renewals.sort().at(-1) ?? null;
}

function why(feature: FeatureNow): string {
  if (!feature.entitled) return reasonWords(feature.reason);
  const since = feature.since === null ? '' : `, on since ${moment(feature.since)}`;
  const renewal = renewalOf(feature);
  if (renewal !== null) return `${reasonWords(feature.reason)}${since}, renews on ${moment(renewal)}`;
  const until = feature.valid_to === null ? 'without end' : `until ${moment(feature.valid_to)}`;
  return `${reasonWords(feature.reason)}${since}, ${until}`;
}

function featureItem(feature: FeatureNow): Html {
  return html`<li data-feature="${feature.known.code}" data-entitled="${feature.entitled ? 'true' : 'false'}">
<div class="row"><span>${feature.known.name}</span><span class="tag ${feature.entitled ? 'good' : ''}">${valueWords(feature)}</span></div>
<p class="small soft">${why(feature)}</p></li>`;
}

function ending(now: CustomerNow): Html | null {
  const subscription = now.features
    .flatMap(({ sources }) => sources)
    .find(({ type, will_renew }) => type === 'subscription' && will_renew === false);
  if (subscription === undefined) return null;
  const end = subscription.period_end;
  return html`<p class="small notice warn">The subscription will not renew${end ? `. What it gives ends on ${moment(end)}` : null}.</p>`;
}

/** What the customer may do now; the script puts a newer one in its place. */
export function statePanel(now: CustomerNow): Html {
  return html`<div id="state" data-version="${now.version}" class="stack">
<ul class="plain lines">${now.features.map(featureItem)}</ul>
${ending(now)}
<p class="small soft">${now.version === 0 ? 'Nothing is known of this customer yet.' : `Version ${now.version} of what is known.`}${now.nextChangeAt === null ? null : ` Changes by itself on ${moment(now.nextChangeAt)}.`}</p>
</div>`;
}
