import type { Faults } from '../faults.ts';
import type { World } from '../world.ts';
import { type ControlNotice, noticeIn } from './control-parts.ts';
import { type Html, html } from './html.ts';

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

/** What somebody typed in place of the settings, and which of it makes no sense. */
export interface TypedFaults {
  values: Readonly<Record<string, string>>;
  name: string;
  error: string;
}

function faultField(
  [name, label, unit]: (typeof FAULT_FIELDS)[number],
  value: number | string,
  error: string | null,
): Html {
  return html`<div><label for="${name}">${label} <span class="soft">(${unit})</span></label><input id="${name}" name="${name}" inputmode="decimal" value="${value}"${
    error === null ? null : html` aria-invalid="true" aria-describedby="${name}-error" autofocus`
  }>${error === null ? null : html`<p class="error" id="${name}-error">${error}</p>`}</div>`;
}

/** What goes wrong from now on. */
export function faultsSection(
  { settings }: World['faults'],
  notice: ControlNotice | null,
  typed: TypedFaults | null,
): Html {
  const quiet = FAULT_NAMES.every((name) => name === 'seed' || !settings[name]);
  return html`<section class="card stack" aria-labelledby="faults"><div class="row"><h2 id="faults">Faults</h2><span class="tag ${quiet ? 'good' : 'warn'}">${quiet ? 'none' : 'on'}</span></div>
${noticeIn('faults', notice)}
<p class="soft">What a network does sooner or later, drawn from the seed: the same seed makes the same mistakes.</p>
<form method="post" action="/" class="stack"><input type="hidden" name="action" value="faults">
<div class="fields">${FAULT_FIELDS.map((field) => {
    const [name] = field;
    return faultField(field, typed?.values[name] ?? settings[name] ?? '', typed?.name === name ? typed.error : null);
  })}</div>
<p class="actions"><button class="primary">Set</button><button name="clear" value="1">No faults</button></p></form></section>`;
}
