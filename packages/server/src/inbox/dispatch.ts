import type { ObjectRef } from '../mirror/types.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import type { StripeEvent } from '../stripe/webhook-event.ts';
import { EVENT_TYPES, isDirect, subjectOf } from './event-types.ts';

/** What is to be done with an event. */
export type Dispatch =
  | { status: 'received'; ref: ObjectRef }
  | { status: 'ignored'; ref: null; reason: string }
  /** It ought to be acted upon and cannot be: somebody has to look at it. */
  | { status: 'dead'; ref: null; reason: string };

/** Decides it from the event alone; reads nothing. */
export function dispatch(
  event: StripeEvent,
  connection: Pick<StripeConnection, 'livemode' | 'verifiedAccount'>,
): Dispatch {
  if (event.livemode !== connection.livemode) {
    return ignored(event.livemode === null ? 'livemode_unknown' : 'livemode_mismatch');
  }
  if (event.account !== null && event.account !== connection.verifiedAccount) return ignored('other_account');
  const subject = Object.hasOwn(EVENT_TYPES, event.type) ? EVENT_TYPES[event.type] : undefined;
  if (subject === undefined) return ignored('type_not_handled');
  if (event.object === null) return dead('unreadable: data.object');
  if (event.thin && !isDirect(subject)) {
    return dead('thin_event: its object is not in it. Let the endpoint send this type with the snapshot payload.');
  }
  const found = subjectOf(subject, event.object);
  if ('ref' in found) return { status: 'received', ref: found.ref };
  return 'ignored' in found ? ignored(found.ignored) : dead(`unreadable: ${found.unreadable}`);
}

function ignored(reason: string): Dispatch {
  return { status: 'ignored', ref: null, reason };
}

function dead(reason: string): Dispatch {
  return { status: 'dead', ref: null, reason };
}
