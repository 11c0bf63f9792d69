export type Metadata = Record<string, string>;

export interface ListOf<T> {
  object: 'list';
  data: T[];
  has_more: boolean;
  url: string;
}

export interface Address {
  city: string | null;
  country: string | null;
  line1: string | null;
  line2: string | null;
  postal_code: string | null;
  state: string | null;
}

/** Where something is sent to. */
export interface Shipping {
  address: Address;
  carrier?: string | null;
  name: string;
  phone: string | null;
  tracking_number?: string | null;
}
