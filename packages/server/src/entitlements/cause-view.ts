import { Type } from 'typebox';
import { Closed, named, OneOf } from '../platform/http/schemas.ts';

export const CauseView = named(
  'Cause',
  Closed(
    {
      type: OneOf(['event', 'checkout', 'grant', 'revocation', 'reconciliation', 'catalog', 'policy', 'customer']),
      id: Type.String({ description: 'The event, session, grant, run or audit entry that stands behind it.' }),
    },
    { description: 'What brought a version about.' },
  ),
);
