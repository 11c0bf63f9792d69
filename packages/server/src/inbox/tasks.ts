import type { Task } from '../platform/jobs.ts';
import type { SyncDeps } from './deps.ts';
import { syncObjectTask } from './sync-task.ts';
import { wakeParkedTask } from './wake-parked.ts';

/** The inbox's jobs. */
export function inboxTasks(deps: SyncDeps): { sync_object: Task; wake_parked: Task } {
  return { sync_object: syncObjectTask(deps), wake_parked: wakeParkedTask(deps) };
}
