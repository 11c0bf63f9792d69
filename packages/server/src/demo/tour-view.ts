import { trialCall } from './acts.ts';
import { curlLine } from './curl.ts';
import { type Explanation, explanationWords } from './explanation.ts';
import { type Html, html } from './html.ts';
import type { Message } from './message.ts';
import type { Demo } from './set-up.ts';
import type { CustomerNow } from './state.ts';
import { historyCall, type TimelineEntry, timelineWords } from './timeline.ts';
import type { TourActName } from './tour.ts';
import type { Payment, TourState } from './tour-state.ts';
import { amountWords, day, moment } from './words.ts';

/** What the tour has to show. */
export interface TourView {
  demo: Demo;
  /** Where the browser reached the page: `http://127.0.0.1:3000`. */
  origin: string;
  now: CustomerNow;
  tour: TourState;
  /** Why the feature that everything sold gives is on or off. */
  why: Explanation;
  timeline: readonly TimelineEntry[];
  /** What was done just now; null when that was nothing of the tour. */
  did: TourActName | null;
  message: Message | null;
}

interface Moment {
  act: TourActName;
  /** What the button says. */
  text: string;
  /** What comes of it. */
  follows: string;
  possible: boolean;
  /** What is missing where it is not possible. */
  needs: string;
}

const RUNNING = new Set(['active', 'trialing']);
const OWING = new Set(['past_due', 'unpaid']);

function momentsOf({ now, tour }: TourView): Moment[] {
  const status = tour.subscription?.status ?? '';
  const running = RUNNING.has(status);
  return [
    {
      act: 'trial',
      text: 'Start a trial',
      follows: 'Fourteen days of Sketchbook Pro. The checkout asks for a card and charges nothing.',
      possible: tour.subscription === null,
      needs: 'There is a plan already.',
    },
    {
      act: 'period',
      text: 'Let the period end',
      follows: 'The trial or the month is over. The next month is charged, and access goes on without a gap.',
      possible: running,
      needs: 'Needs a plan that runs.',
    },
    {
      act: 'fail',
      text: 'Let the next payment fail',
      follows: 'The period ends and the card is declined. The plan is overdue; access goes on for the days of grace.',
      possible: running,
      needs: 'Needs a plan that runs.',
    },
    {
      act: 'grace',
      text: 'Let the grace run out',
      follows: 'Stripe tries again, in vain. At the last second of grace access ends, with no job and no event.',
      possible: now.features.some(({ reason }) => reason === 'subscription_grace'),
      needs: 'Needs a payment that has failed.',
    },
    {
      act: 'pay',
      text: 'Pay what is owed',
      follows: 'The card works again, the invoice is paid, and access is back at once.',
      possible: OWING.has(status),
      needs: 'Nothing is owed.',
    },
  ];
}

/** The moment to try next: the first that is possible, after the one that was done if there is one. */
function suggested(moments: readonly Moment[], did: TourActName | null): TourActName | null {
  const done = moments.findIndex(({ act }) => act === did);
  const rest = [...moments.slice(done + 1), ...moments.slice(0, done + 1)];
  return rest.find(({ possible }) => possible)?.act ?? null;
}

function button(act: TourActName, text: string, about?: string, payment?: string): Html {
  return html`<form method="post" action="/demo/tour"><input type="hidden" name="act" value="${act}"><input type="hidden" name="payment" value="${payment ?? ''}"><button>${text}<span class="vh"> ${about}</span></button></form>`;
}

function momentItem({ act, text, follows, possible, needs }: Moment, next: TourActName | null): Html {
  if (!possible) {
    return html`<li class="row"><p class="grow soft">${follows} <span class="small" id="needs-${act}">${needs}</span></p><button class="moment" disabled aria-describedby="needs-${act}">${text}</button></li>`;
  }
  const tone = act === next ? 'moment primary' : 'moment';
  return html`<li class="row"><p class="grow">${follows}</p><form method="post" action="/demo/tour"><input type="hidden" name="act" value="${act}"><button class="${tone}">${text}</button></form></li>`;
}

const DISPUTES: Readonly<Record<string, readonly [words: string, tone: string]>> = {
  needs_response: ['disputed', 'bad'],
  under_review: ['disputed', 'bad'],
  won: ['dispute won', 'good'],
  lost: ['dispute lost', 'bad'],
};

function paymentTag({ dispute, refunded, amount_refunded }: Payment): Html {
  if (dispute !== null) {
    const [words, tone] = DISPUTES[dispute.status] ?? [dispute.status.replaceAll('_', ' '), ''];
    return html`<span class="tag ${tone}">${words}</span>`;
  }
  if (refunded) return html`<span class="tag">refunded</span>`;
  return html`<span class="tag good">${amount_refunded > 0 ? 'partly refunded' : 'paid'}</span>`;
}

function paymentItem(payment: Payment): Html {
  const { id, amount, created, dispute, refunded } = payment;
  const about = `${amountWords(amount)} of ${day(new Date(created * 1000).toISOString())}`;
  const open = dispute !== null && !['won', 'lost'].includes(dispute.status);
  return html`<li class="row"><p class="grow"><span class="num">${about}</span> ${paymentTag(payment)}</p><div class="actions">${
    dispute === null && !refunded
      ? html`${button('refund', 'Refund', about, id)}${button('dispute', 'Dispute', about, id)}`
      : null
  }${open ? html`${button('won', 'Win the dispute', about, id)}${button('lost', 'Lose the dispute', about, id)}` : null}</div></li>`;
}

function payments({ tour }: TourView): Html {
  return html`<section class="stack" aria-labelledby="paid"><h3 id="paid">Payments to give back or to dispute</h3>
${
  tour.payments.length === 0
    ? html`<p class="small soft">Nothing was paid yet. A trial is paid for when it ends; “Export for life” above is paid at once, and once.</p>`
    : html`<ul class="plain lines">${tour.payments.map(paymentItem)}</ul>
<p class="small soft">What was bought once is off when it is given back, and while it is disputed. What a refund or a dispute does to a paid month is for the project's access policy to say.</p>`
}</section>`;
}

function clock({ why }: TourView): Html {
  return html`<form method="post" action="/demo/tour" class="row"><input type="hidden" name="act" value="clock">
<p class="grow"><span class="vh">The sandbox's clock: </span><strong class="num">${moment(why.as_of)}</strong> <span class="soft small">UTC, by the clock that everybody here shares</span></p>
<div class="actions"><button name="by" value="day">+1 day</button><button name="by" value="month">+30 days</button><button name="by" value="next">To the next change</button></div></form>`;
}

/** What came of it: the explanation and the history. The script puts a newer one in its place. */
export function effectPanel({ demo, origin, now, why, timeline }: Omit<TourView, 'did' | 'message' | 'tour'>): Html {
  return html`<div id="effect" class="stack">
<section class="stack" aria-labelledby="effect-why"><h3 id="effect-why">Why, and what changes next</h3>${explanationWords(why, demo.names)}</section>
<section class="stack" aria-labelledby="timeline"><h3 id="timeline">How it came to this</h3>${timelineWords(timeline)}
<details><summary>The same with curl</summary><pre><code>${curlLine(origin, historyCall(demo, now.customerId))}</code></pre></details></section>
</div>`;
}

/** What happens after the purchase: moments to make happen in any order, and what they do to access. */
export function tourSection(view: TourView): Html {
  const { demo, origin, now, did, message } = view;
  const moments = momentsOf(view);
  const next = suggested(moments, did);
  return html`<section id="later" class="stack later" aria-labelledby="later-title"><h2 id="later-title">Live through what comes later</h2>
<p class="soft">Trials end, cards are declined, people want their money back. Make it happen, in any order: each button does it in the sandbox, Tollgate hears of it as it would from Stripe, and what it says of access stands below.</p>
<div role="status">${message === null ? null : html`<p class="notice ${message.tone}">${message.text}</p>`}</div>
<div class="card stack">${clock(view)}
<ol class="plain lines">${moments.map((one) => momentItem(one, next))}</ol>
<details><summary>The trial with curl</summary><pre><code>${curlLine(origin, trialCall(demo, origin, now.customerId))}</code></pre></details></div>
<div class="card stack">${payments(view)}</div>
<div class="card">${effectPanel(view)}</div>
</section>`;
}

/** What the page says after something of the tour was done. */
export const TOUR_DONE: Readonly<Record<TourActName, Message>> = {
  trial: { tone: 'good', text: 'The trial has begun.' },
  period: { tone: 'good', text: 'The period is over, and the next one has begun.' },
  fail: { tone: 'plain', text: 'The payment failed. See what is left of access, and until when.' },
  grace: { tone: 'plain', text: 'The last retry failed as well, and the days of grace are over.' },
  pay: { tone: 'good', text: 'What was owed is paid.' },
  clock: { tone: 'plain', text: 'The clock has moved.' },
  refund: { tone: 'plain', text: 'The payment was given back.' },
  dispute: { tone: 'plain', text: 'The customer disputes the payment. The bank holds the money until it decides.' },
  won: { tone: 'good', text: 'The dispute is won: the money is yours again.' },
  lost: { tone: 'plain', text: 'The dispute is lost: the money is gone.' },
};

/** The word in the page's address, when it is one of the tour's. */
export function tourAct(did: string | null): TourActName | null {
  return did !== null && Object.hasOwn(TOUR_DONE, did) ? (did as TourActName) : null;
}
