import type { StripeEvent } from '../model.ts';
import type { DeliveryAttempt } from '../webhooks.ts';
import type { World } from '../world.ts';
import { button, type ControlNotice, newest, noticeIn } from './control-parts.ts';
import { type Html, html } from './html.ts';
import { moment } from './words.ts';

const SHOWN_EVENTS = 40;

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
<div class="actions">${button('resend', 'Send again', { event: event.id }, event.type)}</div>
</div></details></li>`;
}

/** The event log, with every delivery. */
export function eventsSection(world: World, notice: ControlNotice | null): Html {
  const shown = newest(world.store.all('event'), SHOWN_EVENTS);
  const all = world.store.count('event');
  const byEvent = new Map<string, DeliveryAttempt[]>();
  for (const attempt of world.webhooks.attempts) {
    const list = byEvent.get(attempt.event) ?? [];
    list.push(attempt);
    byEvent.set(attempt.event, list);
  }
  return html`<section class="card stack" aria-labelledby="events"><h2 id="events">Events</h2>
${noticeIn('events', notice)}
<p class="soft">Newest first, with the answer of the last delivery. Open one to see every attempt, and to send it again.${all > shown.length ? ` These are the last ${shown.length} of ${all}.` : null}</p>
${
  shown.length === 0
    ? html`<p class="soft">Nothing has happened yet.</p>`
    : html`<ol class="plain lines">${shown.map((event) => eventItem(event, byEvent.get(event.id) ?? []))}</ol>`
}</section>`;
}
