/** Exact fractions, so that money is rounded once, at the end. The denominator is positive; not reduced until asked. */
export interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

export const ZERO: Rational = { numerator: 0n, denominator: 1n };

export function ratio(numerator: bigint | number, denominator: bigint | number = 1n): Rational {
  return reduced(BigInt(numerator), BigInt(denominator));
}

/** A decimal as Stripe writes it (`"12.5"`, `"-3"`), exactly. Throws on anything else. */
export function decimal(text: string): Rational {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  if (match === null) throw new RangeError(`"${text}" is not a decimal number.`);
  const [, sign = '', whole = '0', fraction = ''] = match;
  return reduced(BigInt(`${sign}${whole}${fraction}`), 10n ** BigInt(fraction.length));
}

export function add(a: Rational, b: Rational): Rational {
  return reduced(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator);
}

export function subtract(a: Rational, b: Rational): Rational {
  return add(a, { numerator: -b.numerator, denominator: b.denominator });
}

export function multiply(a: Rational, b: Rational): Rational {
  return reduced(a.numerator * b.numerator, a.denominator * b.denominator);
}

export function isPositive(a: Rational): boolean {
  return a.numerator > 0n;
}

/** To the nearest integer, halves away from zero. */
export function round(a: Rational): number {
  const doubled = 2n * (a.numerator < 0n ? -a.numerator : a.numerator) + a.denominator;
  const magnitude = Number(doubled / (2n * a.denominator));
  return a.numerator < 0n ? -magnitude : magnitude;
}

function reduced(numerator: bigint, denominator: bigint): Rational {
  const divisor = gcd(numerator < 0n ? -numerator : numerator, denominator);
  return divisor <= 1n
    ? { numerator, denominator }
    : { numerator: numerator / divisor, denominator: denominator / divisor };
}

function gcd(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}
