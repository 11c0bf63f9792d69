import type { Explanation } from './explanation.ts';
import type { Message } from './message.ts';
import type { Demo } from './set-up.ts';
import type { CustomerNow } from './state.ts';
import type { TimelineEntry } from './timeline.ts';
import type { TourActName } from './tour.ts';
import type { TourState } from './tour-state.ts';

/** One line of the audit trail, as far as the page shows it. */
export interface AuditEntry {
  recorded_at: string;
  actor: string;
  action: string;
  reason: string | null;
}

export interface PageState {
  demo: Demo;
  /** Where the browser reached the page: `http://127.0.0.1:3000`. */
  origin: string;
  now: CustomerNow;
  tour: TourState;
  /** Why the feature that everything sold gives is on or off. */
  why: Explanation;
  timeline: readonly TimelineEntry[];
  /** What of the tour was done just now; null when that was nothing of it. */
  did: TourActName | null;
  message: Message | null;
  /** What was asked to be explained; null when nothing was. */
  explanation: Explanation | null;
  audit: readonly AuditEntry[];
}
