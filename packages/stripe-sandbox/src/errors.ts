/** Stripe's error types; the SDK picks its error class from the status and this. */
export type ErrorType = 'api_error' | 'card_error' | 'idempotency_error' | 'invalid_request_error';

/** What may stand beside `type` and `message` in Stripe's error envelope. */
export interface ErrorDetails {
  code?: string;
  param?: string;
  decline_code?: string;
  charge?: string;
  payment_intent?: unknown;
  payment_method?: unknown;
  setup_intent?: unknown;
}

/** An error that the API answers with, in Stripe's envelope `{ "error": { … } }`. */
export class StripeError extends Error {
  readonly status: number;
  readonly type: ErrorType;
  readonly details: ErrorDetails;
  readonly headers: Record<string, string>;

  constructor(
    status: number,
    type: ErrorType,
    message: string,
    details: ErrorDetails = {},
    headers: Record<string, string> = {},
  ) {
    super(message);
    this.name = 'StripeError';
    this.status = status;
    this.type = type;
    this.details = details;
    this.headers = headers;
  }

  /** The body that goes over the wire. */
  envelope(): { error: Record<string, unknown> } {
    const { code } = this.details;
    return {
      error: {
        ...this.details,
        ...(code === undefined ? {} : { doc_url: `https://stripe.com/docs/error-codes/${code.replaceAll('_', '-')}` }),
        message: this.message,
        type: this.type,
      },
    };
  }
}

/** A 400: the request cannot be carried out as it was asked. */
export function invalidRequest(message: string, details: ErrorDetails = {}): StripeError {
  return new StripeError(400, 'invalid_request_error', message, details);
}

/** The object that the path names does not exist (404), or the one that a parameter names does not (400). */
export function missing(noun: string, id: string, param = 'id'): StripeError {
  const status = param === 'id' ? 404 : 400;
  return new StripeError(status, 'invalid_request_error', `No such ${noun}: '${id}'`, {
    code: 'resource_missing',
    param,
  });
}

/** A 402: the card was refused. */
export function cardError(message: string, details: ErrorDetails): StripeError {
  return new StripeError(402, 'card_error', message, details);
}

/** A 401: no key, or one that this sandbox does not take. */
export function unauthorized(message: string): StripeError {
  return new StripeError(401, 'invalid_request_error', message, {}, { 'WWW-Authenticate': 'Basic realm="Stripe"' });
}

/** Stripe's answer to a path that it does not know. */
export function unknownUrl(method: string, path: string): StripeError {
  return new StripeError(
    404,
    'invalid_request_error',
    `Unrecognized request URL (${method}: ${path}). The sandbox covers the routes in its README.`,
  );
}
