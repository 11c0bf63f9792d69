import { Type } from 'typebox';
import { Closed, named, OneOf } from '../platform/http/schemas.ts';

export const CauseView = named(
  'Cause',
  Closed(
    {
      type: OneOf([
        'event',
        'checkout',
        'grant',
        'revocation',
        'reconciliation',
        'catalog',
        'policy',
        'customer',
        'attachment',
        'import',
      ]),
      id: Type.String({
        description:
          "The event, session, grant, run, parked object, import or audit entry that stands behind it, which may be kept no more; of `catalog` also the object of Stripe's that became known, and was looked at again.",
      }),
    },
    { description: 'What brought a version about.' },
  ),
);
