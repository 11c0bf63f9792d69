import type { Static, TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { TollgateError } from '../platform/errors.ts';

const validators = new WeakMap<TSchema, Validator>();

/**
 * What Stripe answered, as the shape says.
 * @param what - how messages call it: `subscription`
 * @throws TollgateError `stripe_shape_unexpected` with every path that does not fit
 */
export function parseShape<T extends TSchema>(schema: T, value: unknown, what: string): Static<T> {
  let validator = validators.get(schema);
  if (validator === undefined) {
    validator = Compile(schema);
    validators.set(schema, validator);
  }
  if (validator.Check(value)) return value as Static<T>;
  const errors = validator.Errors(value).map((error) => ({
    path: error.instancePath.slice(1).replaceAll('/', '.'),
    message: error.message,
  }));
  const where = errors[0]?.path || 'the whole of it';
  throw new TollgateError(
    'stripe_shape_unexpected',
    `Stripe's ${what} does not look as expected (${where}). Check that the endpoint and the service use the same version of Stripe's API.`,
    errors.slice(0, 20),
  );
}

export function idOf(reference: string | { id: string }): string {
  return typeof reference === 'string' ? reference : reference.id;
}

export function idOrNull(reference: string | { id: string } | null | undefined): string | null {
  return reference === null || reference === undefined ? null : idOf(reference);
}
