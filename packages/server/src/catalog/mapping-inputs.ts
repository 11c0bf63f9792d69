/** Mappings as they are sent, and what may be wrong with them. */
import type { Feature, Mapping } from '@tollgate/core';
import { Type } from 'typebox';
import { type FieldError, TollgateError } from '../platform/errors.ts';
import { Closed, FeatureCode, Nullable, named } from '../platform/http/schemas.ts';

/** A mapping as it is sent. `null` says the same as leaving the field out, so that an answer can be sent back. */
export interface MappingInput {
  code: string;
  value?: number | null;
  unlimited?: boolean;
  per_unit?: boolean;
  access_days?: number | null;
}

const MAX_MAPPINGS = 200;
/** Quantities go up to a million: beyond this the product is no exact integer. */
const MAX_PER_UNIT = 9_000_000_000;
const CENTURY_DAYS = 36_525;

export const MappingInputs = Type.Array(
  named(
    'MappingInput',
    Closed({
      code: FeatureCode,
      value: Type.Optional(
        Nullable(
          Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'The amount of a `limit`.' }),
        ),
      ),
      unlimited: Type.Optional(Type.Boolean({ description: 'A `limit` without an end, instead of a value.' })),
      per_unit: Type.Optional(Type.Boolean({ description: 'The amount is value × the quantity bought.' })),
      access_days: Type.Optional(
        Nullable(
          Type.Integer({
            minimum: 1,
            maximum: CENTURY_DAYS,
            description: 'Days of access that a one-off purchase gives. Default: for ever.',
          }),
        ),
      ),
    }),
  ),
  { maxItems: MAX_MAPPINGS, description: 'The whole set: a code that is missing is not unlocked.' },
);

/**
 * The mappings that inputs stand for, in order of codes.
 * @param known - the project's features, at least those that are named
 * @param options.recurring - whether they are for a recurring price, whose access lasts as long as it is paid for
 * @throws TollgateError `invalid_request` with a path for each mistake
 */
export function mappingsIn(
  inputs: readonly MappingInput[],
  known: readonly Feature[],
  { recurring = false }: { recurring?: boolean } = {},
): Mapping[] {
  const features = new Map(known.map((feature) => [feature.code, feature]));
  const seen = new Set<string>();
  const errors = inputs.flatMap((input, index) => {
    const mistakes = mistakesOf(input, features.get(input.code), seen.has(input.code));
    if (recurring && (input.access_days ?? null) !== null) {
      mistakes.push({
        path: 'access_days',
        message: 'belongs to one-off purchases; leave it out for a recurring price',
      });
    }
    seen.add(input.code);
    return mistakes.map(({ path, message }) => ({ path: `features.${index}.${path}`, message }));
  });
  const [first] = errors;
  if (first !== undefined) {
    throw new TollgateError('invalid_request', `${first.path} ${first.message}.`, errors);
  }
  return inputs.map(mappingOf).sort(byCode);
}

/** The order of codes everywhere; the database's depends on its locale. */
export function byCode(a: Mapping, b: Mapping): number {
  return a.code < b.code ? -1 : 1;
}

function mappingOf(input: MappingInput): Mapping {
  return {
    code: input.code,
    value: input.value ?? null,
    unlimited: input.unlimited ?? false,
    perUnit: input.per_unit ?? false,
    accessDays: input.access_days ?? null,
  };
}

function mistakesOf(input: MappingInput, feature: Feature | undefined, repeated: boolean): FieldError[] {
  if (feature === undefined) return [{ path: 'code', message: 'is no feature of this project; create it first' }];
  if (repeated) return [{ path: 'code', message: 'is there twice; send each code once' }];
  const { value, unlimited, perUnit } = mappingOf(input);
  switch (feature.type) {
    case 'boolean':
      return [
        ...(value === null ? [] : [{ path: 'value', message: 'does not belong to a boolean feature; leave it out' }]),
        ...(unlimited ? [{ path: 'unlimited', message: 'does not belong to a boolean feature; leave it out' }] : []),
        ...(perUnit ? [{ path: 'per_unit', message: 'does not belong to a boolean feature; leave it out' }] : []),
      ];
    case 'limit':
      if (unlimited && value !== null) return [{ path: 'value', message: 'cannot stand beside unlimited' }];
      if (unlimited && perUnit) return [{ path: 'per_unit', message: 'cannot stand beside unlimited' }];
      if (!unlimited && value === null) return [{ path: 'value', message: 'is required for a limit, or unlimited' }];
      if (perUnit && value !== null && value > MAX_PER_UNIT) {
        return [{ path: 'value', message: `must be at most ${MAX_PER_UNIT} with per_unit` }];
      }
      return [];
    case 'metered':
      return [{ path: 'code', message: 'is a metered feature, which are not built yet' }];
    default:
      return feature.type satisfies never;
  }
}
