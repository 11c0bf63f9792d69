/**
 * Validation by TypeBox. Bodies are taken as they are; query and path parameters, which are always strings, become
 * numbers and booleans where the schema says so. Unknown fields are refused, with every error named.
 */
import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import Format from 'typebox/format';
import { type FieldError, TollgateError } from '../errors.ts';
import { namedSchemas } from './schemas.ts';

const MAX_ERRORS = 20;

const RFC_3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})$/;
/** In UTC; the year after it has five digits, which RFC 3339 cannot write. */
const LAST_INSTANT = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
/** Only what `new Date` also understands: no 30th of February, no leap second, and a year that can be stored. */
Format.Set('date-time', (text) => {
  if (!RFC_3339.test(text) || !(Date.parse(text) <= LAST_INSTANT)) return false;
  const [year, month, day] = text.slice(0, 10).split('-').map(Number) as [number, number, number];
  return year >= 1970 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
});

type Part = 'body' | 'querystring' | 'params' | 'headers';

export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const part = (httpPart ?? 'body') as Part;
  const validator = Compile(references(), schema);
  const convert = part === 'body' ? null : converterOf(schema);
  return (value: unknown) => {
    // No body (which comes as null) says the same as an empty one, where every field may be left out.
    const given = part === 'body' && value === null && validator.Check({}) ? {} : value;
    const converted = convert === null ? given : convert(given);
    if (validator.Check(converted)) return { value: converted };
    return { error: refusal(part, validator.Errors(converted), schema) };
  };
};

function references(): Record<string, TSchema> {
  const byReference: Record<string, TSchema> = {};
  for (const [name, schema] of namedSchemas()) byReference[`${name}#`] = schema;
  return byReference;
}

type Convert = (value: unknown) => unknown;

/** Null where there is nothing to convert, so that a query of strings costs nothing. */
function converterOf(schema: TSchema): Convert | null {
  const properties: Record<string, unknown> =
    'properties' in schema && typeof schema.properties === 'object' && schema.properties !== null
      ? (schema.properties as Record<string, unknown>)
      : {};
  const conversions = Object.entries(properties).flatMap(([name, property]) => {
    const convert = conversionFor(property);
    return convert === null ? [] : [{ name, convert }];
  });
  if (conversions.length === 0) return null;
  return (value) => {
    const parameters = value as Record<string, unknown>;
    for (const { name, convert } of conversions) {
      if (name in parameters) parameters[name] = convert(parameters[name]);
    }
    return parameters;
  };
}

function conversionFor(property: unknown): Convert | null {
  if (typeof property !== 'object' || property === null || !('type' in property)) return null;
  switch (property.type) {
    case 'integer':
    case 'number':
      return (text) => (typeof text === 'string' && /^-?\d{1,15}(\.\d{1,15})?$/.test(text) ? Number(text) : text);
    case 'boolean':
      return (text) => (text === 'true' ? true : text === 'false' ? false : text);
    default:
      return null;
  }
}

interface SchemaError {
  keyword: string;
  instancePath: string;
  params: unknown;
  message: string;
}

function refusal(part: Part, found: readonly SchemaError[], schema: TSchema): TollgateError {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const { path, message } of withoutOtherShapes(found).flatMap((error) => fieldErrors(error, part, schema))) {
    const key = `${path}\n${message}`;
    if (seen.has(key) || errors.length === MAX_ERRORS) continue;
    seen.add(key);
    errors.push({ path, message });
  }
  const where = part === 'querystring' ? 'query' : part === 'params' ? 'path' : part;
  const first = errors[0];
  const detail =
    first === undefined
      ? `The ${where} is not valid.`
      : first.path === ''
        ? `The ${where} ${first.message}.`
        : `In the ${where}, ${first.path} ${first.message}.`;
  return new TollgateError('invalid_request', detail, errors);
}

/** Of a value that may have several shapes: where one of them was looked into, what the others ask says nothing. */
function withoutOtherShapes(found: readonly SchemaError[]): readonly SchemaError[] {
  const lookedInto = found
    .filter(({ keyword }) => keyword === 'anyOf')
    .map(({ instancePath }) => instancePath)
    .filter((path) => found.some(({ instancePath }) => instancePath.startsWith(`${path}/`)));
  return found.filter(({ instancePath }) => !lookedInto.includes(instancePath));
}

function fieldErrors(error: SchemaError, part: Part, schema: TSchema): FieldError[] {
  const path = dotted(error.instancePath);
  const params = error.params as Record<string, unknown>;
  switch (error.keyword) {
    case 'required':
      return names(params.requiredProperties).map((name) => ({ path: under(path, name), message: 'is required' }));
    case 'additionalProperties':
      return names(params.additionalProperties).map((name) => ({
        path: under(path, name),
        message:
          path === '' && part !== 'body'
            ? `is not a parameter of this endpoint${known(schema)}`
            : 'is not a known field',
      }));
    // The line above says the same thing better.
    case 'boolean':
      return [];
    case 'format':
      return [
        { path, message: params.format === 'date-time' ? 'must be a moment as 2026-01-31T12:00:00Z' : error.message },
      ];
    case 'enum':
      return [{ path, message: `must be one of ${names(params.allowedValues).join(', ')}` }];
    case 'pattern':
      return [{ path, message: `must match ${String(params.pattern)}` }];
    default:
      return [{ path, message: error.message }];
  }
}

function known(schema: TSchema): string {
  if (!('properties' in schema) || typeof schema.properties !== 'object' || schema.properties === null) return '';
  const keys = Object.keys(schema.properties);
  return keys.length === 0 ? '' : ` (it takes ${keys.join(', ')})`;
}

function names(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function under(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

/** A JSON pointer as the dotted path that people read. */
function dotted(pointer: string): string {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .join('.');
}

/** An escape that could become NUL or half a character: only then is the parsed body walked. */
const SUSPICIOUS = /\\u(?:0000|[dD][89a-fA-F])/;

/** No body of ours is nested half as deep; what walks through bodies walks by recursion. */
const MAX_DEPTH = 64;
/** No body of ours has half as many members; to find every mistake in a million of them takes seconds. */
const MAX_MEMBERS = 5_000;

/** Why a body is more than anyone should have to read. Looks at what is outside of strings, JSON or not. */
function excessOf(text: string): string | null {
  let depth = 0;
  let members = 0;
  let quoted = false;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (quoted) {
      if (character === '\\') index += 1;
      else if (character === '"') quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    else if (character === ',') members += 1;
    if (depth > MAX_DEPTH) return `is nested deeper than ${MAX_DEPTH} levels. Send it flatter.`;
    if (members > MAX_MEMBERS) return `has more than ${MAX_MEMBERS} members. Send less at once.`;
  }
  return null;
}

/**
 * Parses a JSON body, and refuses what is nested or long without measure, and text that cannot be stored: NUL, and half a
 * surrogate pair.
 * @returns undefined for an empty body
 */
export function parseJson(text: string): unknown {
  if (text === '') return undefined;
  const excess = excessOf(text);
  if (excess !== null) throw new TollgateError('invalid_request', `The body ${excess}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new TollgateError('invalid_request', 'The body is not valid JSON. Check its syntax, and send it as UTF-8.');
  }
  if (value === null) throw new TollgateError('invalid_request', 'The body is null. Send an object, or no body.');
  if (SUSPICIOUS.test(text)) refuseUnstorable(value, '');
  return value;
}

function refuseUnstorable(value: unknown, path: string): void {
  if (typeof value === 'string') {
    if (!storable(value)) throw unstorable(path);
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) refuseUnstorable(item, under(path, String(index)));
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      if (!storable(key)) throw unstorable(path);
      refuseUnstorable(item, under(path, key));
    }
  }
}

function storable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

/** The refusal of text that is not storable, wherever it came. */
export function unstorable(path: string): TollgateError {
  return new TollgateError('invalid_request', 'Text may hold neither NUL nor half of a surrogate pair.', [
    { path, message: 'holds a character that cannot be stored' },
  ]);
}
