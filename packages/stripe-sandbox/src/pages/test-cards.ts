import { type Html, html } from './html.ts';

/** The numbers that a page offers, with what comes of them. */
export const TEST_CARDS: readonly { number: string; outcome: string }[] = [
  { number: '4242424242424242', outcome: 'pays' },
  { number: '4000000000000002', outcome: 'is declined' },
  { number: '4000002500003155', outcome: 'asks the bank' },
  { number: '4000000000000341', outcome: 'fails at renewal' },
  { number: '4000000000009995', outcome: 'has no funds' },
  { number: '4000000000000259', outcome: 'is disputed' },
  { number: 'DE89370400440532013000', outcome: 'bank debit' },
];

/** Those that can be kept for later payments in the portal, which takes no bank account. */
export const PORTAL_CARDS = TEST_CARDS.filter(({ number }) => /^\d+$/.test(number));

/** `4242 4242 4242 4242`. */
export function grouped(number: string): string {
  return number.replace(/(\w{4})(?=\w)/g, '$1 ');
}

/** What stands in the fields of a card form, and what is wrong with it. */
export interface CardForm {
  number: string;
  expiry: string;
  cvc: string;
  /** What `expiry` says, where it says something. */
  ends?: { month: number; year: number };
  errors: { card_number?: string; expiry?: string; cvc?: string };
  /** Somebody is at it: where the form can be folded away, it is not. */
  open?: boolean;
}

export const FILLED_IN: CardForm = { number: '4242 4242 4242 4242', expiry: '12 / 40', cvc: '123', errors: {} };

function field(
  name: 'card_number' | 'cvc' | 'expiry',
  label: string,
  value: string,
  error: string | undefined,
  focus: boolean,
  hints: { autocomplete: string; placeholder: string; maxlength: number },
): Html {
  return html`<div>
<label for="${name}">${label}</label>
<input id="${name}" name="${name}" value="${value}" inputmode="numeric" autocomplete="${hints.autocomplete}" placeholder="${hints.placeholder}" maxlength="${hints.maxlength}" required${
    error === undefined ? null : html` aria-invalid="true" aria-describedby="${name}-error"`
  }${focus ? html` autofocus` : null}>
${error === undefined ? null : html`<p class="error" id="${name}-error">${error}</p>`}
</div>`;
}

/**
 * Number, expiry and security code. Whoever has to correct something starts there.
 * @param refused - the card itself was refused: begin with its number
 */
export function cardFields({ number, expiry, cvc, errors }: CardForm, refused: boolean): Html {
  const first = refused ? 'card_number' : Object.keys(errors)[0];
  return html`${field('card_number', 'Card number', number, errors.card_number, first === 'card_number', {
    autocomplete: 'cc-number',
    placeholder: '4242 4242 4242 4242',
    maxlength: 42,
  })}
<div class="pair">
${field('expiry', 'Expiry (MM / YY)', expiry, errors.expiry, first === 'expiry', { autocomplete: 'cc-exp', placeholder: 'MM / YY', maxlength: 9 })}
${field('cvc', 'Security code', cvc, errors.cvc, first === 'cvc', { autocomplete: 'cc-csc', placeholder: '123', maxlength: 4 })}
</div>`;
}

/**
 * Buttons that fill a number in. They stand after the form's own button, so that Enter in a field pays, and send the
 * form with `fill` so that nothing typed is lost.
 */
export function cardChooser(chosen: string, cards = TEST_CARDS): Html {
  const digits = chosen.replace(/[\s-]/g, '');
  return html`<div role="group" aria-labelledby="test-cards" class="chooser stack-s">
<h2 class="small" id="test-cards">Test cards</h2>
<p class="small soft">Choose one to fill it in.</p>
<div class="cards">${cards.map(
    ({ number, outcome }) =>
      html`<button name="fill" value="${number}" formnovalidate aria-pressed="${number === digits ? 'true' : 'false'}"><span class="num">${grouped(number)}</span><span class="soft">${outcome}</span></button>`,
  )}</div>
</div>`;
}

/** Reads a card form back, and says what is wrong with it. Programs may send the number alone. */
export function readCard(form: URLSearchParams, isCardNumber: (digits: string) => boolean, now: number): CardForm {
  const number = form.get('card_number') ?? '';
  const expiry = form.get('expiry') ?? FILLED_IN.expiry;
  const cvc = form.get('cvc') ?? FILLED_IN.cvc;
  const errors: CardForm['errors'] = {};
  if (!isCardNumber(number.replace(/[\s-]/g, ''))) errors.card_number = 'Your card number is not valid.';
  const end = /^\s*(\d{1,2})\s*\/?\s*(\d{4}|\d{2})\s*$/.exec(expiry);
  const month = Number(end?.[1]);
  const year = Number(end?.[2]) + (end?.[2]?.length === 2 ? 2000 : 0);
  if (end === null || month < 1 || month > 12) errors.expiry = 'Give the month and the year, such as 12 / 40.';
  else if (Date.UTC(year, month) / 1000 <= now) errors.expiry = 'Your card has expired.';
  if (!/^\d{3,4}$/.test(cvc.trim())) errors.cvc = 'Give three or four digits.';
  return { number, expiry, cvc, errors, ...(errors.expiry === undefined ? { ends: { month, year } } : {}) };
}
