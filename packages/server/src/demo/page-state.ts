import type { Explanation } from './explanation.ts';
import type { TourView } from './tour-view.ts';

/** One line of the audit trail, as far as the page shows it. */
export interface AuditEntry {
  recorded_at: string;
  actor: string;
  action: string;
  reason: string | null;
}

/** What the page has to show: the tour, and what follows it. */
export interface PageState extends TourView {
  /** What was asked to be explained; null when nothing was. */
  explanation: Explanation | null;
  audit: readonly AuditEntry[];
}
