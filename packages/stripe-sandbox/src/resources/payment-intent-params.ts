/** What may be said of a payment intent, and how it is read. */
import { invalidRequest } from '../errors.ts';
import {
  amount,
  clearable,
  currencyCode,
  flag,
  ignored,
  list,
  metadata,
  oneOf,
  optional,
  type Reader,
  required,
  text,
} from '../params.ts';
import { shippingReader } from './addresses.ts';

const captureMethod = optional(oneOf('automatic', 'automatic_async', 'manual'));
const setupFutureUsage = optional(clearable(oneOf('off_session', 'on_session')));
/** Taken and without effect here: which methods are offered, and how, does not matter to a payment by the API. */
const withoutEffect = {
  amount_details: optional(ignored),
  excluded_payment_method_types: optional(ignored),
  payment_details: optional(ignored),
  payment_method_configuration: optional(ignored),
  payment_method_options: optional(ignored),
};

export const intentFields = {
  ...withoutEffect,
  allowed_payment_method_types: optional(list(text)),
  capture_method: captureMethod,
  description: optional(clearable(text)),
  metadata: optional(metadata),
  payment_method: optional(text),
  payment_method_types: optional(list(text)),
  receipt_email: optional(clearable(text)),
  setup_future_usage: setupFutureUsage,
  shipping: optional(clearable(shippingReader)),
  statement_descriptor: optional(text),
  statement_descriptor_suffix: optional(text),
  transfer_group: optional(text),
};

/** Cards are charged no more than this at once. */
const MOST = 99_999_999;

const payable: Reader<number> = (value, path) => {
  const number = amount(value, path);
  if (number > MOST) {
    throw invalidRequest(`Amount must be no more than ${MOST}, in the smallest currency unit.`, {
      code: 'amount_too_large',
      param: path,
    });
  }
  return number;
};

export const createFields = {
  ...intentFields,
  amount: required(payable),
  automatic_payment_methods: optional(ignored),
  confirm: optional(flag),
  confirmation_method: optional(oneOf('automatic', 'manual')),
  currency: required(currencyCode),
  customer: optional(text),
  error_on_requires_action: optional(flag),
  mandate_data: optional(ignored),
  off_session: optional(flag),
  radar_options: optional(ignored),
  return_url: optional(text),
  use_stripe_sdk: optional(flag),
};

export const updateFields = {
  ...intentFields,
  amount: optional(amount),
  currency: optional(text),
  customer: optional(text),
};

export const confirmFields = {
  ...withoutEffect,
  capture_method: captureMethod,
  error_on_requires_action: optional(flag),
  mandate_data: optional(ignored),
  off_session: optional(flag),
  payment_method: optional(text),
  payment_method_types: optional(list(text)),
  radar_options: optional(ignored),
  receipt_email: optional(clearable(text)),
  return_url: optional(text),
  setup_future_usage: setupFutureUsage,
  shipping: optional(clearable(shippingReader)),
  use_stripe_sdk: optional(flag),
};
