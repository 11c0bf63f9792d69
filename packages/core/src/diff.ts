import { type Decision, decide } from './evaluate.ts';
import type { Instant, SnapshotBody } from './model.ts';

/** How one feature's answer differs between two snapshots at one moment. */
export interface FeatureChange {
  feature: string;
  change: 'gained' | 'lost' | 'changed';
  before: Decision;
  after: Decision;
}

/**
 * What changed for the customer at `now`, feature by feature in order of code: for change records and dry runs.
 * @param was - the moment at which `before` is asked; the same snapshot a moment earlier tells what time alone changed
 */
export function diffSnapshots(before: SnapshotBody, after: SnapshotBody, now: Instant, was = now): FeatureChange[] {
  const codes = [...new Set([...Object.keys(before.features), ...Object.keys(after.features)])].sort();
  const changes: FeatureChange[] = [];
  for (const feature of codes) {
    const then = decide(before, true, feature, was);
    const next = decide(after, true, feature, now);
    if (then.entitled !== next.entitled) {
      changes.push({ feature, change: next.entitled ? 'gained' : 'lost', before: then, after: next });
    } else if (JSON.stringify(then) !== JSON.stringify(next)) {
      changes.push({ feature, change: 'changed', before: then, after: next });
    }
  }
  return changes;
}
