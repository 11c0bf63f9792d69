import { StripeError } from './errors.ts';

/** A request to a sandbox, however it came. */
export interface AskedRequest {
  method: string;
  /** With the query: `/v1/customers?limit=3`. */
  path: string;
  /** Names in lower case. */
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: string;
}

/** What a sandbox answers with. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** An error as it is answered, in Stripe's envelope. */
export function errorAnswer(error: unknown): Answer {
  const known =
    error instanceof StripeError
      ? error
      : new StripeError(
          500,
          'api_error',
          `The sandbox failed: ${error instanceof Error ? error.message : String(error)}`,
        );
  const headers = { ...known.headers, 'Content-Type': 'application/json' };
  return { status: known.status, headers, body: JSON.stringify(known.envelope(), null, 2) };
}
