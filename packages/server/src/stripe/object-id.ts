/** An id as Stripe makes them, or as an account chose for a product or plan of its own, which may hold dots. */
export const OBJECT_ID = '^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,254}$';
