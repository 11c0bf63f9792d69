/** What the routes of products, prices and their mappings take alike. */
import { Type } from 'typebox';
import { Closed, Nullable } from '../platform/http/schemas.ts';

/** Stripe's ids; anything else is simply not found. */
export const IdParams = Closed({ id: Type.String({ minLength: 1, maxLength: 255 }) });

export const ActiveFilter = Type.Boolean({ description: 'false: only archived ones. Default: both.' });

/** What Stripe takes as a product's name. */
export const ProductName = Type.String({ minLength: 1, maxLength: 250, pattern: '\\S' });
export const ProductDescription = Nullable(Type.String({ maxLength: 2000 }));
