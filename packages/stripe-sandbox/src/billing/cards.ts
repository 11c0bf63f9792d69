/** How payments with a test number go. */
export interface CardBehaviour {
  /** The decline when somebody pays at the checkout; null: it goes through. */
  declines: string | null;
  /** The decline of a later payment without the customer, such as a renewal; null: it goes through. */
  declinesLater: string | null;
  /** The payment goes through and the customer then disputes it. */
  disputes?: 'fraudulent' | 'inquiry' | 'product_not_received';
  /** The customer is asked by their bank before the first payment. */
  authenticates?: boolean;
  /** It is asked before every payment, however often it has been confirmed. */
  asksAgain?: boolean;
  /** The payment is under way for days, and then settles or fails. */
  settles?: 'fails' | 'succeeds';
  /** Refunds of it fail after they looked like succeeding, or stay pending for a while. */
  refunds?: 'fail' | 'pend';
  /** How risky its payments look; those of the highest risk are blocked before they reach a bank. */
  risk?: 'elevated' | 'highest';
}

const PAYS: CardBehaviour = { declines: null, declinesLater: null };
const refused = (code: string): CardBehaviour => ({ declines: code, declinesLater: code });

/**
 * Stripe's test numbers that behave in a way of their own. Every other number that could be a card's just pays, every
 * other bank account settles.
 */
const BEHAVIOURS: Record<string, CardBehaviour> = {
  '4000000000000002': refused('generic_decline'),
  '4000000000009995': refused('insufficient_funds'),
  '4000000000009987': refused('lost_card'),
  '4000000000009979': refused('stolen_card'),
  '4000000000000069': refused('expired_card'),
  '4000000000000127': refused('incorrect_cvc'),
  '4000000000000119': refused('processing_error'),
  '4000000000006975': refused('card_velocity_exceeded'),
  '4100000000000019': { ...refused('fraudulent'), risk: 'highest' },
  '4000000000004954': { ...refused('fraudulent'), risk: 'highest' },
  '4000000000009235': { ...PAYS, risk: 'elevated' },
  '4000008260003178': { ...refused('insufficient_funds'), authenticates: true, asksAgain: true },
  '4000008400001629': { ...refused('generic_decline'), authenticates: true, asksAgain: true },
  '4000008400001280': { ...refused('processing_error'), authenticates: true, asksAgain: true },
  '4000000000000341': { declines: null, declinesLater: 'generic_decline' },
  '4000000000000259': { ...PAYS, disputes: 'fraudulent' },
  '4000000000002685': { ...PAYS, disputes: 'product_not_received' },
  '4000000000001976': { ...PAYS, disputes: 'inquiry' },
  '4000002500003155': { ...PAYS, authenticates: true },
  '4000002760003184': { ...PAYS, authenticates: true, asksAgain: true },
  '4000000000003220': { ...PAYS, authenticates: true, asksAgain: true },
  '4000000000003063': { ...PAYS, authenticates: true, asksAgain: true },
  DE89370400440532013000: { ...PAYS, settles: 'succeeds' },
  DE62370400440532013001: { ...PAYS, settles: 'fails' },
  AT611904300234573201: { ...PAYS, settles: 'succeeds' },
  IT60X0542811101000000123456: { ...PAYS, settles: 'fails' },
  '4000000000005126': { ...PAYS, refunds: 'fail' },
  '4000000000007726': { ...PAYS, refunds: 'pend' },
};

export function behaviourOf(number: string): CardBehaviour {
  const known = BEHAVIOURS[number];
  if (known !== undefined) return known;
  return isIban(number) ? { ...PAYS, settles: 'succeeds' } : PAYS;
}

/** Whether digits could be a card number (Luhn's check). */
export function isCardNumber(number: string): boolean {
  if (!/^\d{12,19}$/.test(number)) return false;
  let sum = 0;
  [...number].reverse().forEach((digit, index) => {
    const value = Number(digit) * (index % 2 === 0 ? 1 : 2);
    sum += value > 9 ? value - 9 : value;
  });
  return sum % 10 === 0;
}

/** Whether it looks like an account number of a bank, which is debited instead of a card. */
export function isIban(number: string): boolean {
  return /^[A-Z]{2}\d{2}[A-Z0-9]{10,30}$/.test(number);
}

const DECLINE_WORDS: Record<string, { code: string; message: string }> = {
  card_velocity_exceeded: {
    code: 'card_declined',
    message: 'Your card was declined for making repeated attempts too frequently or exceeding its amount limit.',
  },
  expired_card: { code: 'expired_card', message: 'Your card has expired.' },
  incorrect_cvc: { code: 'incorrect_cvc', message: "Your card's security code is incorrect." },
  insufficient_funds: { code: 'card_declined', message: 'Your card has insufficient funds.' },
  processing_error: {
    code: 'processing_error',
    message: 'An error occurred while processing your card. Try again in a little bit.',
  },
  authentication_required: {
    code: 'authentication_required',
    message: 'Your card was declined. This transaction requires authentication.',
  },
};

/** What a decline is called in `code`, and what it says to the customer. */
export function declineWords(declineCode: string): { code: string; message: string } {
  return DECLINE_WORDS[declineCode] ?? { code: 'card_declined', message: 'Your card was declined.' };
}
