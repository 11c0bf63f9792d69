import { type FieldError, TollgateError } from '../platform/errors.ts';
import { STAMP_PREFIX } from '../stripe/stamps.ts';

/** Stripe takes 50 keys on an object; the rest is for Tollgate's stamps. */
const MAX_KEYS = 40;
const MAX_KEY_LENGTH = 40;

/**
 * Refuses metadata that Stripe would not take, or that would pass for Tollgate's own stamps.
 * @throws TollgateError `invalid_request`
 */
export function refuseBadMetadata(metadata: Readonly<Record<string, string>>): void {
  const names = Object.keys(metadata);
  const errors: FieldError[] = names.flatMap((name) => {
    const message = nameProblem(name);
    return message === null ? [] : [{ path: `metadata.${name}`, message }];
  });
  if (names.length > MAX_KEYS) errors.push({ path: 'metadata', message: `has more than ${MAX_KEYS} keys` });
  const first = errors[0];
  if (first === undefined) return;
  throw new TollgateError('invalid_request', `In the body, ${first.path} ${first.message}.`, errors);
}

function nameProblem(name: string): string | null {
  // In any case: `Tollgate_project` would mislead whoever reads Stripe's dashboard.
  if (name.toLowerCase().startsWith(STAMP_PREFIX))
    return `must not begin with ${STAMP_PREFIX}, which is Tollgate's own`;
  if (name.length === 0 || name.length > MAX_KEY_LENGTH) return `needs a name of 1 to ${MAX_KEY_LENGTH} characters`;
  return /[[\]]/.test(name) ? 'must not have square brackets in its name' : null;
}
