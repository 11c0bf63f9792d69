import type { Address, Shipping } from '../model.ts';
import { clearable, group, optional, type Params, required, text } from '../params.ts';

const line = optional(clearable(text));
const addressFields = { city: line, country: line, line1: line, line2: line, postal_code: line, state: line };

/** The parameters of a postal address. */
export const addressReader = group(addressFields);

/** The parameters of where something is sent to. */
export const shippingReader = group({
  address: required(addressReader),
  carrier: line,
  name: required(text),
  phone: line,
  tracking_number: line,
});

/** A postal address with every line, as it is stored. */
export function addressOf(given: Params<typeof addressFields>): Address {
  const { city, country, line1, line2, postal_code, state } = given;
  return {
    city: city ?? null,
    country: country ?? null,
    line1: line1 ?? null,
    line2: line2 ?? null,
    postal_code: postal_code ?? null,
    state: state ?? null,
  };
}

/** Where a payment's goods are sent to, as it is stored. */
export function shippingOf(given: ReturnType<typeof shippingReader>): Shipping {
  const { address, carrier, name, phone, tracking_number } = given;
  return {
    address: addressOf(address),
    carrier: carrier ?? null,
    name,
    phone: phone ?? null,
    tracking_number: tracking_number ?? null,
  };
}
