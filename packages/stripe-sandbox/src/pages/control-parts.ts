import { type Html, html } from './html.ts';

/** The parts of the control page, by their ids. */
export type Section = 'charges' | 'clock' | 'events' | 'faults' | 'subscriptions';

/** What was just done, or why it could not be; said where it was done. */
export interface ControlNotice {
  at: Section;
  good: boolean;
  text: string;
}

/** The notice's place in a section, there before there is one so that it is read out when there is. */
export function noticeIn(section: Section, notice: ControlNotice | null): Html {
  const shown = notice?.at === section ? notice : null;
  return html`<div role="status">${shown === null ? null : html`<p class="notice ${shown.good ? 'good' : 'bad'}">${shown.text}</p>`}</div>`;
}

/**
 * A button that does one thing.
 * @param about - what it is done to, for who does not see what it stands beside
 */
export function button(action: string, text: string, fields: Record<string, string> = {}, about = ''): Html {
  return html`<form method="post" action="/"><input type="hidden" name="action" value="${action}">${Object.entries(
    fields,
  ).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  )}<button>${text}${about === '' ? null : html`<span class="vh">: ${about}</span>`}</button></form>`;
}

/** The last of a list, the newest first. */
export function newest<T>(list: readonly T[], limit: number): T[] {
  return list.slice(-limit).reverse();
}
