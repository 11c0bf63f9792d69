export const EVENT_STATUSES = ['received', 'processed', 'ignored', 'parked', 'failed', 'dead'] as const;
export type EventStatus = (typeof EVENT_STATUSES)[number];

/** Something will still happen to these by itself. */
export const WAITING = ['received', 'failed', 'parked'] as const satisfies readonly EventStatus[];
