import { DEMO_FEATURES } from './catalog.ts';
import type { Call } from './curl.ts';
import { type Html, html } from './html.ts';
import type { Demo } from './set-up.ts';
import { moment, reasonWords, valueWords } from './words.ts';

interface Decided {
  entitled: boolean;
  value: number | null;
  unlimited: boolean;
  reason: string;
}

interface Version {
  version: number;
  recorded_at: string;
  cause: { type: string; id: string };
  changes: { feature: string; after: Decided }[];
}

/** One version of what is known of a customer. */
export interface TimelineEntry extends Version {
  /** The type of the event behind it, where there is one. */
  event: string | null;
}

const SHOWN = 8;

const CAUSES: Readonly<Record<string, string>> = {
  checkout: 'the success page asked about the checkout',
  grant: 'a grant by hand',
  revocation: 'a revocation by hand',
  reconciliation: 'a comparison with Stripe',
  catalog: 'a change of what is sold',
  policy: 'a change of the access policy',
  customer: 'a change of the customer',
};

export function historyCall({ secretKey }: Demo, customerId: string): Call {
  const query = new URLSearchParams({ customer_id: customerId, limit: String(SHOWN) });
  return { method: 'GET', path: `/entitlements/history?${query}`, key: secretKey };
}

/** The latest versions of what a customer may do, newest first, with the events behind them. */
export async function loadTimeline(demo: Demo, customerId: string): Promise<TimelineEntry[]> {
  const { method, path, key } = historyCall(demo, customerId);
  const { data } = await demo.api.call<{ data: Version[] }>(method, path, key);
  return await Promise.all(data.map(async (version) => ({ ...version, event: await eventOf(demo, version) })));
}

async function eventOf({ api, adminKey }: Demo, { cause }: Version): Promise<string | null> {
  if (cause.type !== 'event') return null;
  const { type } = await api.call<{ type: string }>('GET', `/admin/events/${encodeURIComponent(cause.id)}`, adminKey);
  return type;
}

function changeWords({ feature, after }: Version['changes'][number]): Html {
  const name = DEMO_FEATURES.find(({ code }) => code === feature)?.name ?? feature;
  return html`<li><span class="tag ${after.entitled ? 'good' : 'bad'}">${valueWords(after)}</span> ${name}: <span class="soft">${reasonWords(after.reason)}</span></li>`;
}

function entryWords({ recorded_at, cause, event, changes }: TimelineEntry): Html {
  return html`<li class="stack-s"><p class="small"><span class="num">${moment(recorded_at)}</span> <span class="soft">by ${event === null ? CAUSES[cause.type] : html`<code>${event}</code>`}</span></p>
${
  changes.length === 0
    ? html`<p class="small soft">Nothing changed at that moment; what comes later did.</p>`
    : html`<ul class="plain small stack-s">${changes.map(changeWords)}</ul>`
}</li>`;
}

/** How it came to what a customer may do. */
export function timelineWords(entries: readonly TimelineEntry[]): Html {
  if (entries.length === 0) {
    return html`<p class="soft small">Nothing has happened yet. Each change of access appears here, with what brought it about.</p>`;
  }
  return html`<ol class="plain lines" aria-labelledby="timeline">${entries.map(entryWords)}</ol>`;
}
