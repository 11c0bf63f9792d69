export { CATCH_UP_SCHEDULE, catchUpEventsTask } from './catch-up-events.ts';
export type { ReceiveDeps, SyncDeps } from './deps.ts';
export { EVENT_TYPES } from './event-types.ts';
export { forgetOldEvents } from './forget.ts';
export { registerInboxRoutes } from './routes.ts';
export { inboxTasks } from './tasks.ts';
export { WAKE_SCHEDULE } from './wake-parked.ts';
