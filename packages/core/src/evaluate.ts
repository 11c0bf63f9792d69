import type {
  BarredSpan,
  DeniedReason,
  EntitledReason,
  FeatureTrace,
  Instant,
  Reason,
  SnapshotBody,
  SourceTrace,
  SourceWindow,
} from './model.ts';

/** One source that entitles now. */
export interface EntitlingSource {
  type: SourceTrace['type'];
  id: string;
  reason: EntitledReason;
  periodEnd: Instant | null;
  willRenew: boolean;
}

/** What one feature is at one moment. */
export interface FeatureState {
  feature: string;
  type: FeatureTrace['type'];
  entitled: boolean;
  /** The amount of a `limit`; null for a boolean, and when unlimited. */
  value: number | null;
  unlimited: boolean;
  /** Start and end of the unbroken entitled span around the moment; null when not entitled, or without end. */
  validFrom: Instant | null;
  validTo: Instant | null;
  reason: Reason;
  sources: readonly EntitlingSource[];
}

export interface Evaluation {
  features: Readonly<Record<string, FeatureState>>;
  /** The next moment at which any entitled feature's state changes or a feature becomes entitled; null: never. */
  nextChangeAt: Instant | null;
}

/** One decision, as `GET /check` answers it. */
export interface Decision {
  entitled: boolean;
  value: number | null;
  unlimited: boolean;
  reason: Reason;
  validTo: Instant | null;
}

/** Every traced feature at `now`. */
export function evaluate(body: SnapshotBody, now: Instant): Evaluation {
  const features: Record<string, FeatureState> = {};
  let nextChangeAt: Instant | null = null;
  for (const trace of Object.values(body.features)) {
    features[trace.feature] = evaluateFeature(trace, now);
    nextChangeAt = soonest(nextChangeAt, nextFeatureChange(trace, now));
  }
  return { features, nextChangeAt };
}

/** One feature at `now`, with its entitling sources. */
export function evaluateFeature(trace: FeatureTrace, now: Instant): FeatureState {
  const { entitled, value, unlimited, reason, validTo } = decideTrace(trace, now);
  const sources: EntitlingSource[] = [];
  if (entitled) {
    for (const source of trace.sources) {
      const window = source.effect === 'allow' ? windowAt(source, now) : null;
      if (window === null) continue;
      const { type, id, periodEnd, willRenew } = source;
      sources.push({ type, id, reason: window.reason, periodEnd, willRenew });
    }
  }
  const validFrom = entitled ? entitledSince(trace, now) : null;
  return { feature: trace.feature, type: trace.type, entitled, value, unlimited, validFrom, validTo, reason, sources };
}

/**
 * One decision. `knownFeature` tells whether the project has the feature at all: one that it does not have is denied as
 * `unknown_feature`, whatever the snapshot says.
 */
export function decide(body: SnapshotBody, knownFeature: boolean, feature: string, now: Instant): Decision {
  if (!knownFeature) return denied('unknown_feature');
  const trace = Object.hasOwn(body.features, feature) ? body.features[feature] : undefined;
  return trace === undefined ? denied('no_source') : decideTrace(trace, now);
}

/**
 * The next edge of any window after `now`: until then every answer from this snapshot stays as it is, reasons included.
 */
export function nextBoundaryAt(body: SnapshotBody, now: Instant): Instant | null {
  let next: Instant | null = null;
  for (const trace of Object.values(body.features)) {
    for (const edge of edgesAfter(trace, now)) next = soonest(next, edge);
  }
  return next;
}

/** The next moment at which this feature's state (entitled, value, span or sources) changes; null: never. */
export function nextFeatureChange(trace: FeatureTrace, now: Instant): Instant | null {
  const before = answerOf(trace, now);
  for (const edge of edgesAfter(trace, now)) {
    if (answerOf(trace, edge) !== before) return edge;
  }
  return null;
}

/** The window of a source that holds at `now`; null when none does. */
export function windowAt(source: SourceTrace, now: Instant): SourceWindow | null {
  for (const window of source.windows) {
    if (window.from <= now && (window.to === null || now < window.to)) return window;
  }
  return null;
}

/** What bars a source at `now` from giving what it would give otherwise; null when nothing does. */
export function barAt(source: SourceTrace, now: Instant): BarredSpan | null {
  return source.barred?.find(({ from, to }) => from <= now && (to === null || now < to)) ?? null;
}

/** When the unbroken access of one source around `now` ends; null: never. `now` itself when it gives none. */
export function lastsUntil(source: SourceTrace, now: Instant): Instant | null {
  let end: Instant = now;
  for (const window of source.windows) {
    if (window.from > end) break;
    if (window.to === null) return null;
    if (window.to > end) end = window.to;
  }
  return end;
}

/** The source that gives the answer, with the window that holds. */
export interface Winner {
  source: SourceTrace;
  window: SourceWindow;
}

/** Who gives the answer at `now`: a deny grant that holds, else the source that lasts longest; null when none holds. */
export function winnerAt(trace: FeatureTrace, now: Instant): Winner | null {
  let winner: Winner | null = null;
  let winnerUntil: Instant | null = 0;
  for (const source of trace.sources) {
    const window = windowAt(source, now);
    if (window === null) continue;
    if (source.effect === 'deny') return { source, window };
    const until = lastsUntil(source, now);
    if (winner === null || outlasts(until, winnerUntil)) {
      winner = { source, window };
      winnerUntil = until;
    }
  }
  return winner;
}

function decideTrace(trace: FeatureTrace, now: Instant): Decision {
  const winner = winnerAt(trace, now);
  if (winner === null) return denied(reasonWithout(trace, now));
  if (winner.source.effect === 'deny') return denied('denied');
  let value: number | null = null;
  let unlimited = false;
  for (const source of trace.sources) {
    if (windowAt(source, now) === null) continue;
    if (source.unlimited) unlimited = true;
    else if (source.value !== null) value = combine(trace, value, source.value);
  }
  const amount = trace.type === 'boolean' || unlimited ? null : value;
  return { entitled: true, value: amount, unlimited, reason: winner.window.reason, validTo: entitledUntil(trace, now) };
}

/** Sums stop at the largest exact integer: beyond it other languages read another number than was written. */
function combine(trace: FeatureTrace, sum: number | null, value: number): number {
  if (sum === null) return value;
  return trace.aggregation === 'sum' ? Math.min(sum + value, Number.MAX_SAFE_INTEGER) : Math.max(sum, value);
}

function denied(reason: DeniedReason): Decision {
  return { entitled: false, value: null, unlimited: false, reason, validTo: null };
}

/** Of the sources that give nothing now, the one that ended last; one that is barred at this moment counts as last. */
function reasonWithout(trace: FeatureTrace, now: Instant): DeniedReason {
  let reason: DeniedReason = 'no_source';
  let endedAt = Number.NEGATIVE_INFINITY;
  let begins = false;
  for (const source of trace.sources) {
    if (source.effect === 'deny') continue;
    const bar = barAt(source, now);
    const first = source.windows[0];
    if (bar === null && first !== undefined && now < first.from) {
      begins = true;
      continue;
    }
    const at = bar === null ? (source.endedAt ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY;
    if (at > endedAt) {
      endedAt = at;
      reason = bar?.reason ?? source.endReason;
    }
  }
  return reason === 'no_source' && begins ? 'not_started' : reason;
}

function entitledUntil(trace: FeatureTrace, now: Instant): Instant | null {
  let end: Instant | null = now;
  for (let grew = true; grew && end !== null; ) {
    grew = false;
    for (const window of windowsOf(trace, 'allow')) {
      if (end !== null && window.from <= end && (window.to === null || window.to > end)) {
        end = window.to;
        grew = true;
      }
    }
  }
  for (const window of windowsOf(trace, 'deny')) {
    if (window.from > now && (end === null || window.from < end)) end = window.from;
  }
  return end;
}

function entitledSince(trace: FeatureTrace, now: Instant): Instant {
  let start = now;
  for (let grew = true; grew; ) {
    grew = false;
    for (const window of windowsOf(trace, 'allow')) {
      if (window.from < start && (window.to === null || window.to >= start)) {
        start = window.from;
        grew = true;
      }
    }
  }
  for (const window of windowsOf(trace, 'deny')) {
    if (window.to !== null && window.to <= now && window.to > start) start = window.to;
  }
  return start;
}

function* windowsOf(trace: FeatureTrace, effect: SourceTrace['effect']): Generator<SourceWindow> {
  for (const source of trace.sources) if (source.effect === effect) yield* source.windows;
}

function edgesAfter(trace: FeatureTrace, now: Instant): Instant[] {
  const edges = new Set<Instant>();
  for (const source of trace.sources) {
    for (const { from, to } of [...source.windows, ...(source.barred ?? [])]) {
      if (from > now) edges.add(from);
      if (to !== null && to > now) edges.add(to);
    }
  }
  return [...edges].sort((a, b) => a - b);
}

/** Two moments with the same text have the same answer; features that are not entitled are not part of one. */
function answerOf(trace: FeatureTrace, now: Instant): string {
  const { entitled, reason: _, ...state } = evaluateFeature(trace, now);
  return entitled ? JSON.stringify(state) : '';
}

function outlasts(until: Instant | null, other: Instant | null): boolean {
  if (other === null) return false;
  return until === null || until > other;
}

function soonest(a: Instant | null, b: Instant | null): Instant | null {
  if (a === null) return b;
  return b === null ? a : Math.min(a, b);
}
