import { invalidRequest } from './errors.ts';
import type { FormGroup, FormValue } from './form.ts';

/** Turns one raw value into a typed one, or throws Stripe's error for that parameter. */
export type Reader<T> = (value: FormValue, path: string) => T;

/** One parameter of an endpoint: how it is read, and what its absence means. */
export interface Field<T> {
  read: Reader<T>;
  absent: (path: string) => T;
}

/** The parameters that an endpoint takes, by name. */
export type Shape = Record<string, Field<unknown>>;

/** The typed parameters that reading a form with a shape gives. */
export type Params<S extends Shape> = { [K in keyof S]: S[K] extends Field<infer T> ? T : never };

/** A parameter that must be there. */
export function required<T>(read: Reader<T>): Field<T> {
  return {
    read,
    absent: (path) => {
      throw invalidRequest(`Missing required param: ${path}.`, { code: 'parameter_missing', param: path });
    },
  };
}

/** A parameter that may be left out. */
export function optional<T>(read: Reader<T>): Field<T | undefined> {
  return { read, absent: () => undefined };
}

function plain(value: FormValue, path: string): string {
  if (typeof value !== 'string') throw invalidRequest(`Invalid string: ${path} must be a string.`, { param: path });
  if (value === '') {
    throw invalidRequest(
      `You passed an empty string for '${path}'. We assume empty values are an attempt to unset a parameter; however '${path}' cannot be unset. You should remove '${path}' from your request or supply a non-empty value.`,
      { code: 'parameter_invalid_empty', param: path },
    );
  }
  return value;
}

/** Any text but the empty one. */
export const text: Reader<string> = plain;

/** A whole number. */
export const integer: Reader<number> = (value, path) => {
  const raw = plain(value, path);
  if (!/^-?\d{1,15}$/.test(raw)) {
    throw invalidRequest(`Invalid integer: ${raw}`, { code: 'parameter_invalid_integer', param: path });
  }
  return Number(raw);
};

/** A whole number of the smallest currency unit that is not below zero. */
export const amount: Reader<number> = (value, path) => {
  const number = integer(value, path);
  if (number < 0) {
    throw invalidRequest(`Invalid non-negative integer: ${number}`, { code: 'parameter_invalid_integer', param: path });
  }
  return number;
};

/** A decimal number, kept as text so that nothing is lost. */
export const decimal: Reader<string> = (value, path) => {
  const raw = plain(value, path);
  if (!/^-?\d{1,15}(\.\d{1,12})?$/.test(raw)) throw invalidRequest(`Invalid decimal: ${raw}`, { param: path });
  return raw;
};

/** `true` or `false`. */
export const flag: Reader<boolean> = (value, path) => {
  const raw = plain(value, path);
  if (raw !== 'true' && raw !== 'false') throw invalidRequest(`Invalid boolean: ${raw}`, { param: path });
  return raw === 'true';
};

/** Text that could be an e-mail address. */
export const email: Reader<string> = (value, path) => {
  const raw = plain(value, path);
  if (!/^[^@\s]+@[^@\s]+\.[^@\s.]+$/.test(raw)) {
    throw invalidRequest(`Invalid email address: ${raw}`, { code: 'email_invalid', param: path });
  }
  return raw;
};

/** The three-letter codes of the world's currencies, in lower case as Stripe has them. */
const CURRENCIES = new Set(Intl.supportedValuesOf('currency').map((code) => code.toLowerCase()));

/** A currency's code, in lower case. */
export const currencyCode: Reader<string> = (value, path) => {
  const raw = plain(value, path).toLowerCase();
  if (!CURRENCIES.has(raw)) {
    throw invalidRequest(`Invalid currency: ${raw}. It has to be a three-letter ISO code that Stripe supports.`, {
      param: path,
    });
  }
  return raw;
};

/** One of the given words. */
export function oneOf<const W extends string>(...words: W[]): Reader<W> {
  return (value, path) => {
    const raw = plain(value, path);
    const word = words.find((candidate) => candidate === raw);
    if (word === undefined) {
      throw invalidRequest(`Invalid ${path}: must be one of ${words.join(', ')}`, { param: path });
    }
    return word;
  };
}

/** A Unix timestamp, or one of some words that stand for one (such as `now`). */
export function timeOr<const W extends string>(...words: W[]): Reader<number | W> {
  return (value, path) => words.find((word) => word === value) ?? integer(value, path);
}

/** A parameter that an empty string clears, which reads as null. */
export function clearable<T>(read: Reader<T>): Reader<T | null> {
  return (value, path) => (value === '' ? null : read(value, path));
}

/** A list, in the order of its indices. An empty string is an empty list. */
export function list<T>(read: Reader<T>): Reader<T[]> {
  return (value, path) => {
    if (value === '') return [];
    if (typeof value === 'string') throw invalidRequest(`Invalid array: ${path} must be an array.`, { param: path });
    return Object.keys(value)
      .map((key) => {
        if (!/^\d{1,6}$/.test(key)) throw invalidRequest(`Invalid array: ${path}`, { param: `${path}[${key}]` });
        return Number(key);
      })
      .sort((a, b) => a - b)
      .map((index) => read(value[String(index)] ?? '', `${path}[${index}]`));
  };
}

/** A nested group of parameters. */
export function group<S extends Shape>(shape: S): Reader<Params<S>> {
  return (value, path) => {
    if (typeof value === 'string') throw invalidRequest(`Invalid object: ${path} must be a hash.`, { param: path });
    return readParams(shape, value, path);
  };
}

/** A parameter that Stripe knows and that changes nothing here; it is accepted whatever it says. */
export const ignored: Reader<undefined> = () => undefined;

/** A change of metadata: keys to set, keys to remove (null), or null to remove them all. */
export type MetadataChange = Record<string, string | null> | null;

const MAX_METADATA_KEYS = 50;

/** Metadata, with Stripe's limits: 50 keys, 40 characters a key, 500 a value. An empty value removes its key. */
export const metadata: Reader<MetadataChange> = (value, path) => {
  if (value === '') return null;
  if (typeof value === 'string') throw invalidRequest(`Invalid object: ${path} must be a hash.`, { param: path });
  const change: Record<string, string | null> = {};
  for (const [key, entry] of Object.entries(value)) {
    const param = `${path}[${key}]`;
    if (typeof entry !== 'string') throw invalidRequest('Metadata values must be strings.', { param });
    if (key.length > 40) {
      throw invalidRequest(
        `Metadata keys can have up to 40 characters, but you passed in a key that is ${key.length} characters. Invalid key: ${key}`,
        { param: path },
      );
    }
    if (entry.length > 500) {
      throw invalidRequest(
        `Metadata values can have up to 500 characters, but you passed in a value that is ${entry.length} characters. Invalid value: ${entry}`,
        { param: path },
      );
    }
    change[key] = entry === '' ? null : entry;
  }
  return change;
};

/**
 * Metadata after a change: what is not named stays.
 *
 * @throws StripeError beyond 50 keys
 */
export function mergeMetadata(
  current: Record<string, string>,
  change: MetadataChange | undefined,
): Record<string, string> {
  if (change === undefined) return current;
  if (change === null) return {};
  const merged = { ...current };
  for (const [key, value] of Object.entries(change)) {
    if (value === null) delete merged[key];
    else merged[key] = value;
  }
  if (Object.keys(merged).length > MAX_METADATA_KEYS) {
    throw invalidRequest(`Metadata can have up to ${MAX_METADATA_KEYS} keys.`, { param: 'metadata' });
  }
  return merged;
}

/** A point or range on a time line, as the `created` filter of lists takes it. */
export const range: Reader<(value: number) => boolean> = (value, path) => {
  if (typeof value === 'string') {
    const exact = integer(value, path);
    return (candidate) => candidate === exact;
  }
  const bounds = readParams(
    { gt: optional(integer), gte: optional(integer), lt: optional(integer), lte: optional(integer) },
    value,
    path,
  );
  return (candidate) =>
    (bounds.gt === undefined || candidate > bounds.gt) &&
    (bounds.gte === undefined || candidate >= bounds.gte) &&
    (bounds.lt === undefined || candidate < bounds.lt) &&
    (bounds.lte === undefined || candidate <= bounds.lte);
};

/**
 * Reads a form with a shape. Every name that the shape does not have is refused.
 *
 * @throws StripeError with `parameter_unknown`, `parameter_missing` or what the field's reader finds
 */
export function readParams<S extends Shape>(shape: S, form: FormGroup, prefix = ''): Params<S> {
  const pathOf = (name: string) => (prefix === '' ? name : `${prefix}[${name}]`);
  for (const name of Object.keys(form)) {
    if (!Object.hasOwn(shape, name)) {
      throw invalidRequest(`Received unknown parameter: ${pathOf(name)}`, {
        code: 'parameter_unknown',
        param: pathOf(name),
      });
    }
  }
  const params: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(shape)) {
    const value = form[name];
    params[name] = value === undefined ? field.absent(pathOf(name)) : field.read(value, pathOf(name));
  }
  return params as Params<S>;
}
