import { type Decision, decide } from './evaluate.ts';
import type { Instant, SnapshotBody } from './model.ts';

/** How one feature's answer differs between two snapshots at one moment. */
export interface FeatureChange {
  feature: string;
  change: 'gained' | 'lost' | 'changed';
  before: Decision;
  after: Decision;
}

/** What changed for the customer at `now`, feature by feature in order of code: for change records and dry runs. */
export function diffSnapshots(before: SnapshotBody, after: SnapshotBody, now: Instant): FeatureChange[] {
  const codes = [...new Set([...Object.keys(before.features), ...Object.keys(after.features)])].sort();
  const changes: FeatureChange[] = [];
  for (const feature of codes) {
    const was = decide(before, true, feature, now);
    const is = decide(after, true, feature, now);
    if (was.entitled !== is.entitled) {
      changes.push({ feature, change: is.entitled ? 'gained' : 'lost', before: was, after: is });
    } else if (JSON.stringify(was) !== JSON.stringify(is)) {
      changes.push({ feature, change: 'changed', before: was, after: is });
    }
  }
  return changes;
}
