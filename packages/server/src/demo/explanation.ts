import { DEMO_FEATURES } from './catalog.ts';
import { type Html, html } from './html.ts';
import type { Demo } from './set-up.ts';
import { moment, reasonWords } from './words.ts';

interface ExplainedSource {
  type: string;
  id: string;
  via: string | null;
  effect: 'allow' | 'deny';
  value: number | null;
  unlimited: boolean;
  verdict: string;
  reason: string;
  windows: { from: string; to: string | null; reason: string }[];
  ended_at: string | null;
}

/** `GET /explain`, as far as the page uses it. */
export interface Explanation {
  feature: string;
  entitled: boolean;
  reason: string;
  as_of: string;
  valid_to: string | null;
  next_change_at: string | null;
  sources: ExplainedSource[];
}

const VERDICTS: Readonly<Record<string, readonly [words: string, tone: string]>> = {
  won: ['decides', 'good'],
  contributes: ['gives it too', 'accent'],
  overruled: ['overruled', 'bad'],
  not_yet: ['not yet', ''],
  ended: ['over', ''],
  never: ['gives nothing', ''],
};

/** @throws DemoProblem when the API refuses */
export async function loadExplanation(
  { api, secretKey }: Demo,
  customerId: string,
  feature: string,
): Promise<Explanation> {
  const query = new URLSearchParams({ customer_id: customerId, feature });
  return await api.call<Explanation>('GET', `/explain?${query}`, secretKey);
}

function windowWords({ from, to, reason }: ExplainedSource['windows'][number], asOf: string): Html {
  const now = Date.parse(from) <= Date.parse(asOf) && (to === null || Date.parse(asOf) < Date.parse(to));
  return html`<li${now ? html` class="now"` : null}><span class="num">${moment(from)} – ${to === null ? 'without end' : moment(to)}</span> <span class="soft">${reasonWords(reason)}${now ? ', now' : null}</span></li>`;
}

function sourceWords(source: ExplainedSource, asOf: string, names: ReadonlyMap<string, string>): Html {
  const [verdict, tone] = VERDICTS[source.verdict] ?? [source.verdict, ''];
  const amount = source.unlimited ? ', unlimited' : source.value === null ? '' : `, ${source.value}`;
  const name = source.via === null ? null : names.get(source.via);
  const kind = source.effect === 'deny' ? 'Prohibition' : `${source.type[0]?.toUpperCase()}${source.type.slice(1)}`;
  return html`<li class="stack-s">
<div class="row"><h3>${kind}${name ? html` <span class="soft">${source.type === 'subscription' ? 'to' : 'of'} ${name}</span>` : null}${amount}</h3><span class="tag ${tone}">${verdict}</span></div>
${
  source.windows.length === 0
    ? html`<p class="soft small">Gives nothing at any time: ${reasonWords(source.reason)}.</p>`
    : html`<ul class="windows small">${source.windows.map((window) => windowWords(window, asOf))}</ul>`
}
${source.verdict === 'ended' ? html`<p class="soft small">Over${source.ended_at === null ? '' : ` since ${moment(source.ended_at)}`}: ${reasonWords(source.reason)}.</p>` : null}
<p class="soft small"><code>${source.id}</code></p>
</li>`;
}

function answer(explanation: Explanation): Html {
  const name = DEMO_FEATURES.find(({ code }) => code === explanation.feature)?.name ?? explanation.feature;
  if (!explanation.entitled) {
    return html`<p><strong>${name}: no.</strong> Why: ${reasonWords(explanation.reason)}.</p>`;
  }
  const until = explanation.valid_to === null ? 'without end' : `until ${moment(explanation.valid_to)}`;
  return html`<p><strong>${name}: yes</strong>, ${until}. Why: ${reasonWords(explanation.reason)}.</p>`;
}

/** Why a customer may or may not use a feature, in words: the answer, then every source with its windows. */
export function explanationWords(explanation: Explanation, names: ReadonlyMap<string, string>): Html {
  const sources = [...explanation.sources].sort((a, b) => Number(b.verdict === 'won') - Number(a.verdict === 'won'));
  return html`<div class="why stack">
${answer(explanation)}
${
  sources.length === 0
    ? html`<p class="soft small">Every subscription, purchase and grant of this customer was looked at. None gives it.</p>`
    : html`<ul class="plain lines">${sources.map((source) => sourceWords(source, explanation.as_of, names))}</ul>`
}
${explanation.next_change_at === null ? null : html`<p class="soft small">The answer changes next on ${moment(explanation.next_change_at)} (UTC).</p>`}
</div>`;
}
