/**
 * A refusal that the caller can act on: a stable code and a sentence that says what to do. It knows no HTTP;
 * `http/problems.ts` alone maps codes to statuses.
 */
export class TollgateError extends Error {
  override readonly name = 'TollgateError';
  readonly code: string;
  readonly errors: readonly FieldError[];
  /** Further members of the problem document, such as the `subscription_id` that stands in the way. */
  readonly extensions: Readonly<Record<string, unknown>>;

  constructor(
    code: string,
    detail: string,
    errors: readonly FieldError[] = [],
    extensions: Readonly<Record<string, unknown>> = {},
  ) {
    super(detail);
    this.code = code;
    this.errors = errors;
    this.extensions = extensions;
  }
}

export interface FieldError {
  /** Dotted path into the body or query: `features.0.value`. */
  path: string;
  message: string;
}

/** An object that does not exist and one of another project look the same. */
export function notFound(what: string): TollgateError {
  return new TollgateError(
    'not_found',
    `There is no such ${what} in this project. Check the id and the key's project.`,
  );
}
