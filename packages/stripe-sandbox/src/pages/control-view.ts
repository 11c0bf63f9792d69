import { money } from '../billing/amounts.ts';
import type { Faults } from '../faults.ts';
import type { Charge, Dispute, Kind, StripeEvent, Subscription } from '../model.ts';
import type { DeliveryAttempt } from '../webhooks.ts';
import type { World } from '../world.ts';
import { type Html, html } from './html.ts';
import { layout } from './layout.ts';
import { endsAt } from './portal-plans.ts';
import { count, day, moment, spoken } from './words.ts';

const SHOWN = 20;
const SHOWN_EVENTS = 60;
const SHOWN_KINDS: readonly [Kind, string][] = [
  ['customer', 'Customers'],
  ['product', 'Products'],
  ['price', 'Prices'],
  ['checkout.session', 'Checkouts'],
  ['subscription', 'Subscriptions'],
  ['invoice', 'Invoices'],
  ['charge', 'Charges'],
  ['event', 'Events'],
];

function button(action: string, text: string, fields: Record<string, string> = {}): Html {
  return html`<form method="post" action="/"><input type="hidden" name="action" value="${action}">${Object.entries(
    fields,
  ).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  )}<button>${text}</button></form>`;
}

function newest<T>(list: readonly T[], limit: number): T[] {
  return list.slice(-limit).reverse();
}

function clockSection(world: World, nextChange: number | null): Html {
  const ahead = world.clock.offset;
  const days = Math.round(ahead / 86_400);
  return html`<section class="card stack" aria-labelledby="clock">
<h2 id="clock">Clock</h2>
<p><span class="clock">${moment(world.clock.now())}</span> <span class="soft">UTC${ahead > 0 ? ` · ${days > 0 ? count(days, 'day') : count(Math.round(ahead / 60), 'minute')} ahead` : ''}</span></p>
<p class="soft">${nextChange === null ? 'Nothing is due to happen by itself.' : `Something is due at ${moment(nextChange)}.`} What falls due on the way happens in order: trials end, renewals are paid or fail, cancellations take effect.</p>
<div class="actions">${button('advance', '+1 day', { by: 'day' })}${button('advance', '+1 month', { by: 'month' })}${nextChange === null ? null : button('advance', 'To the next change', { by: 'next' })}</div>
</section>`;
}

function who(world: World, id: string | null): string {
  const customer = id === null ? undefined : world.store.get('customer', id);
  return customer?.email ?? customer?.name ?? id ?? 'a guest';
}

function plan(world: World, { items }: Subscription): string {
  return items.data.map(({ price }) => world.store.get('product', price.product)?.name ?? price.id).join(' + ');
}

function subscriptionItem(world: World, subscription: Subscription): Html {
  const { customer, id, status } = subscription;
  const over = status === 'canceled' || status === 'incomplete_expired';
  const ends = over ? null : endsAt(subscription);
  return html`<li class="row">
<div><p>${plan(world, subscription)} <span class="tag ${status === 'active' ? 'good' : ''}">${spoken(status)}</span>${ends === null ? null : html` <span class="small soft">ends ${day(ends)}</span>`}</p>
<p class="small soft">${who(world, customer)} · <code>${id}</code></p></div>
${over ? null : html`<div class="actions">${button('fail_next', 'Fail next payment', { customer })}</div>`}</li>`;
}

function subscriptions(world: World): Html {
  const shown = newest(world.store.all('subscription'), SHOWN);
  return html`<section class="card stack" aria-labelledby="subscriptions"><h2 id="subscriptions">Subscriptions</h2>
${
  shown.length === 0
    ? html`<p class="soft">There are none yet. They appear when somebody pays at a checkout.</p>`
    : html`<ul class="plain lines">${shown.map((subscription) => subscriptionItem(world, subscription))}</ul>`
}</section>`;
}

function disputeOf(world: World, charge: Charge): Dispute | undefined {
  return world.store.all('dispute', { key: 'charge', value: charge.id }).at(-1);
}

function isOpen({ status }: Dispute): boolean {
  return status === 'needs_response' || status === 'under_review' || status.startsWith('warning_needs');
}

function chargeActions(world: World, charge: Charge): Html {
  const dispute = disputeOf(world, charge);
  const refundable = charge.paid && charge.amount_refunded < charge.amount;
  if (charge.status === 'pending') {
    const payment = { payment: charge.payment_intent };
    return html`<div class="actions">${button('settle', 'Settle', { ...payment, ending: 'succeeds' })}${button('settle', 'Return', { ...payment, ending: 'fails' })}</div>`;
  }
  return html`<div class="actions">${refundable && dispute === undefined ? button('refund', 'Refund', { charge: charge.id }) : null}${
    charge.paid && dispute === undefined ? button('dispute', 'Dispute', { charge: charge.id }) : null
  }${
    dispute !== undefined && isOpen(dispute)
      ? html`${button('close_dispute', 'Win', { dispute: dispute.id, outcome: 'won' })}${button('close_dispute', 'Lose', { dispute: dispute.id, outcome: 'lost' })}`
      : null
  }</div>`;
}

function chargeTag(world: World, charge: Charge): Html {
  const dispute = disputeOf(world, charge);
  if (dispute !== undefined) return html`<span class="tag warn">dispute: ${spoken(dispute.status)}</span>`;
  if (charge.refunded) return html`<span class="tag">refunded</span>`;
  if (charge.amount_refunded > 0) return html`<span class="tag">partly refunded</span>`;
  if (charge.status === 'pending') return html`<span class="tag accent">under way</span>`;
  return html`<span class="tag ${charge.paid ? 'good' : 'bad'}">${charge.paid ? 'paid' : spoken(charge.failure_code ?? charge.status)}</span>`;
}

function chargeItem(world: World, charge: Charge): Html {
  return html`<li class="row">
<div><p><span class="num">${money(charge.amount, charge.currency)}</span> ${chargeTag(world, charge)}</p>
<p class="small soft">${who(world, charge.customer)} · ${day(charge.created)}</p></div>
${chargeActions(world, charge)}</li>`;
}

function charges(world: World): Html {
  const shown = newest(world.store.all('charge'), SHOWN);
  return html`<section class="card stack" aria-labelledby="charges"><h2 id="charges">Payments</h2>
${
  shown.length === 0
    ? html`<p class="soft">There are none yet.</p>`
    : html`<ul class="plain lines">${shown.map((charge) => chargeItem(world, charge))}</ul>`
}</section>`;
}

function outcome({ status, error }: DeliveryAttempt): Html {
  const good = status !== null && status >= 200 && status < 300;
  return html`<span class="tag ${good ? 'good' : 'bad'}">${status ?? error ?? 'no answer'}</span>`;
}

function eventItem(event: StripeEvent, attempts: readonly DeliveryAttempt[]): Html {
  const object = event.data.object as { id?: string };
  return html`<li><details>
<summary><span>${event.type}</span> <span class="soft num small">${moment(event.created)}</span> ${attempts.slice(-1).map(outcome)}</summary>
<div class="stack">
<p class="small soft"><code>${event.id}</code> about <code>${object.id}</code></p>
${
  attempts.length === 0
    ? html`<p class="small soft">It has not been delivered to anyone.</p>`
    : html`<ul class="plain stack-s">${attempts.map(
        (attempt) =>
          html`<li class="small">Attempt ${attempt.attempt} to <code>${attempt.url}</code> ${outcome(attempt)}${attempt.error === null || attempt.status === null ? null : ` ${attempt.error}`}</li>`,
      )}</ul>`
}
<div class="actions">${button('resend', 'Send again', { event: event.id })}</div>
</div></details></li>`;
}

function events(world: World): Html {
  const shown = newest(world.store.all('event'), SHOWN_EVENTS);
  const byEvent = new Map<string, DeliveryAttempt[]>();
  for (const attempt of world.webhooks.attempts) {
    const list = byEvent.get(attempt.event) ?? [];
    list.push(attempt);
    byEvent.set(attempt.event, list);
  }
  return html`<section class="card stack" aria-labelledby="events"><h2 id="events">Events</h2>
<p class="soft">Newest first, with the answer of the last delivery. Open one to see every attempt, and to send it again.</p>
${
  shown.length === 0
    ? html`<p class="soft">Nothing has happened yet.</p>`
    : html`<ol class="plain lines">${shown.map((event) => eventItem(event, byEvent.get(event.id) ?? []))}</ol>`
}</section>`;
}

const FAULT_FIELDS: readonly [keyof Faults, string, string][] = [
  ['drop', 'Drop an event', '0 to 1'],
  ['duplicate', 'Send an event twice', '0 to 1'],
  ['shuffle', 'Hold an event back', '0 to 1'],
  ['errorRate', 'Fail an API request', '0 to 1'],
  ['lostResponseRate', 'Lose an API answer', '0 to 1'],
  ['delayMs', 'Delay deliveries', 'milliseconds'],
  ['latencyMs', 'Delay API answers', 'milliseconds'],
  ['rateLimit', 'API requests allowed', 'a second, empty: any'],
  ['seed', 'Seed', 'a whole number'],
];

/** The names of the faults' fields, in the form that the control page sends. */
export const FAULT_NAMES = FAULT_FIELDS.map(([name]) => name);

function faults({ settings }: World['faults']): Html {
  const quiet = FAULT_NAMES.every((name) => name === 'seed' || !settings[name]);
  return html`<section class="card stack" aria-labelledby="faults"><div class="row"><h2 id="faults">Faults</h2><span class="tag ${quiet ? 'good' : 'warn'}">${quiet ? 'none' : 'on'}</span></div>
<p class="soft">What a network does sooner or later, drawn from the seed: the same seed makes the same mistakes.</p>
<form method="post" action="/" class="stack"><input type="hidden" name="action" value="faults">
<div class="fields">${FAULT_FIELDS.map(
    ([name, label, unit]) =>
      html`<div><label for="${name}">${label} <span class="soft">(${unit})</span></label><input id="${name}" name="${name}" inputmode="decimal" value="${settings[name] ?? ''}"></div>`,
  )}</div>
<p class="actions"><button class="primary">Set</button><button name="clear" value="1">No faults</button></p></form></section>`;
}

/** The page for whoever runs the sandbox: what exists, what happened, and everything that can be made to happen. */
export function controlPage(
  world: World,
  nextChange: number | null,
  notice: { good: boolean; text: string } | null,
): Html {
  return layout(
    'Control',
    html`<main class="wrap stack-l">
<header class="stack-s"><h1>Stripe sandbox</h1>
<p class="soft">A small Stripe on this machine. Its API is at <code>${world.baseUrl}</code> and takes any key that begins with <code>sk_test_</code>.</p></header>
<div role="status" aria-live="polite">${notice === null ? null : html`<p class="notice ${notice.good ? 'good' : 'bad'}">${notice.text}</p>`}</div>
<section aria-label="What exists" class="grid">${SHOWN_KINDS.map(
      ([kind, name]) =>
        html`<div class="stat"><b>${world.store.count(kind)}</b><span class="small soft">${name}</span></div>`,
    )}</section>
${clockSection(world, nextChange)}
${subscriptions(world)}
${charges(world)}
${faults(world.faults)}
${events(world)}
</main>`,
  );
}
