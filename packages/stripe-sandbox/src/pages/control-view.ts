import { money } from '../billing/amounts.ts';
import type { Charge, Dispute, Kind, Subscription } from '../model.ts';
import type { World } from '../world.ts';
import { eventsSection } from './control-events.ts';
import { faultsSection, type TypedFaults } from './control-faults.ts';
import { button, type ControlNotice, newest, noticeIn } from './control-parts.ts';
import { type Html, html } from './html.ts';
import { layout } from './layout.ts';
import { endsAt } from './portal-plans.ts';
import { count, day, moment, spoken } from './words.ts';

const SHOWN = 20;
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

function clockSection(world: World, nextChange: number | null, notice: ControlNotice | null): Html {
  const ahead = world.clock.offset;
  const days = Math.round(ahead / 86_400);
  return html`<section class="card stack" aria-labelledby="clock">
<h2 id="clock">Clock</h2>
${noticeIn('clock', notice)}
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
  const failing = !over && world.plannedFailures.some((plan) => plan.customer === customer);
  return html`<li class="row">
<div><p>${plan(world, subscription)} <span class="tag ${status === 'active' ? 'good' : ''}">${spoken(status)}</span>${ends === null ? null : html` <span class="small soft">ends ${day(ends)}</span>`}${failing ? html` <span class="tag warn">next payment fails</span>` : null}</p>
<p class="small soft">${who(world, customer)} · <code>${id}</code></p></div>
${over ? null : html`<div class="actions">${button('fail_next', 'Fail next payment', { customer }, who(world, customer))}</div>`}</li>`;
}

function subscriptions(world: World, notice: ControlNotice | null): Html {
  const shown = newest(world.store.all('subscription'), SHOWN);
  return html`<section class="card stack" aria-labelledby="subscriptions"><h2 id="subscriptions">Subscriptions</h2>
${noticeIn('subscriptions', notice)}
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
  const about = `${money(charge.amount, charge.currency)} of ${who(world, charge.customer)}`;
  if (charge.status === 'pending') {
    const settle = (text: string, ending: string) =>
      button('settle', text, { payment: charge.payment_intent, ending }, about);
    return html`<div class="actions">${settle('Settle', 'succeeds')}${settle('Return', 'fails')}</div>`;
  }
  const close = (text: string, outcome: string) =>
    dispute === undefined ? null : button('close_dispute', text, { dispute: dispute.id, outcome }, about);
  const open = dispute !== undefined && isOpen(dispute);
  return html`<div class="actions">${refundable && dispute === undefined ? button('refund', 'Refund', { charge: charge.id }, about) : null}${
    charge.paid && dispute === undefined ? button('dispute', 'Dispute', { charge: charge.id }, about) : null
  }${open ? html`${close('Win', 'won')}${close('Lose', 'lost')}` : null}</div>`;
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

function charges(world: World, notice: ControlNotice | null): Html {
  const shown = newest(world.store.all('charge'), SHOWN);
  return html`<section class="card stack" aria-labelledby="charges"><h2 id="charges">Payments</h2>
${noticeIn('charges', notice)}
${
  shown.length === 0
    ? html`<p class="soft">There are none yet.</p>`
    : html`<ul class="plain lines">${shown.map((charge) => chargeItem(world, charge))}</ul>`
}</section>`;
}

/** What the page shows besides the sandbox itself. */
export interface ControlState {
  nextChange: number | null;
  notice: ControlNotice | null;
  faults: TypedFaults | null;
}

/** The page for whoever runs the sandbox: what exists, what happened, and everything that can be made to happen. */
export function controlPage(world: World, { nextChange, notice, faults }: ControlState): Html {
  return layout(
    'Control',
    html`<main class="wrap stack-l">
<header class="stack-s"><h1>Stripe sandbox</h1>
<p class="soft">A small Stripe on this machine. Its API is at <code>${world.baseUrl}</code> and takes any key that begins with <code>sk_test_</code>.</p></header>
<section aria-label="What exists" class="grid">${SHOWN_KINDS.map(
      ([kind, name]) =>
        html`<div class="stat"><b>${world.store.count(kind)}</b><span class="small soft">${name}</span></div>`,
    )}</section>
${clockSection(world, nextChange, notice)}
${subscriptions(world, notice)}
${charges(world, notice)}
${faultsSection(world.faults, notice, faults)}
${eventsSection(world, notice)}
</main>`,
  );
}
