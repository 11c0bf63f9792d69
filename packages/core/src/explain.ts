import { barAt, type Decision, decide, lastsUntil, nextFeatureChange, windowAt, winnerAt } from './evaluate.ts';
import type { Instant, Reason, SnapshotBody, SourceTrace } from './model.ts';

/**
 * `won` gives the answer, `contributes` entitles too, `overruled` would entitle but a deny grant forbids, `barred` would
 * but the payment for it was refunded or is disputed, `not_yet` and `ended` lie outside their windows, `never` gives
 * nothing at any time. A deny grant that holds has `won`.
 */
export type Verdict = 'won' | 'contributes' | 'overruled' | 'barred' | 'not_yet' | 'ended' | 'never';

export interface ExplainedSource extends SourceTrace {
  verdict: Verdict;
  reason: Reason;
  /** One plain sentence. */
  note: string;
}

export interface Explanation {
  decision: Decision;
  sources: readonly ExplainedSource[];
  /** Why the answer is what it is, in one sentence. */
  summary: string;
  /** When this feature's answer changes next; null: never. */
  nextChangeAt: Instant | null;
}

/** The decision at `asOf` with every source that was considered, its verdict, and why the winner won. */
export function explain(body: SnapshotBody, knownFeature: boolean, feature: string, asOf: Instant): Explanation {
  const decision = decide(body, knownFeature, feature, asOf);
  const trace = knownFeature && Object.hasOwn(body.features, feature) ? body.features[feature] : undefined;
  if (trace === undefined) {
    const summary = knownFeature
      ? 'Not entitled: no subscription, purchase or grant of this customer gives the feature.'
      : 'Not entitled: the project has no feature of this code.';
    return { decision, sources: [], summary, nextChangeAt: null };
  }
  const winner = winnerAt(trace, asOf)?.source ?? null;
  const denying = winner?.effect === 'deny';
  const sources = trace.sources.map((source) => {
    const verdict = verdictOf(source, asOf, source === winner, denying);
    const reason = reasonOf(source, asOf, verdict);
    return { ...source, verdict, reason, note: noteOf(source, verdict, reason, asOf) };
  });
  return { decision, sources, summary: summaryOf(decision, winner), nextChangeAt: nextFeatureChange(trace, asOf) };
}

function verdictOf(source: SourceTrace, now: Instant, won: boolean, denying: boolean): Verdict {
  if (won) return 'won';
  if (barAt(source, now) !== null) return 'barred';
  const [first] = source.windows;
  if (first === undefined) return 'never';
  if (windowAt(source, now) !== null) return denying && source.effect === 'allow' ? 'overruled' : 'contributes';
  return now < first.from ? 'not_yet' : 'ended';
}

function reasonOf(source: SourceTrace, now: Instant, verdict: Verdict): Reason {
  if (verdict === 'not_yet') return 'not_started';
  if (verdict === 'barred') return barAt(source, now)?.reason ?? source.endReason;
  if (verdict === 'ended' || verdict === 'never') return source.endReason;
  if (source.effect === 'deny' || verdict === 'overruled') return 'denied';
  return windowAt(source, now)?.reason ?? source.endReason;
}

function noteOf(source: SourceTrace, verdict: Verdict, reason: Reason, now: Instant): string {
  const what = `The ${source.effect === 'deny' ? 'deny grant' : source.type} ${source.id}`;
  switch (verdict) {
    case 'won':
    case 'contributes': {
      const until = lastsUntil(source, now);
      const how = source.effect === 'deny' ? 'forbids the feature' : `gives the feature (${reason})`;
      return `${what} ${how} ${until === null ? 'without end' : `until ${iso(until)}`}.`;
    }
    case 'overruled':
      return `${what} would give the feature, but a deny grant forbids it.`;
    case 'barred': {
      const bar = barAt(source, now);
      const until = bar?.to === null || bar?.to === undefined ? '' : ` to ${iso(bar.to)}`;
      return `${what} gives nothing from ${iso(bar?.from ?? now)}${until}: payment ${bar?.paymentId} (${reason}).`;
    }
    case 'not_yet':
      return `${what} begins at ${iso(source.windows[0]?.from ?? now)}.`;
    case 'ended': {
      const at = source.endedAt ?? source.windows.at(-1)?.to ?? now;
      const bar = source.barred?.find(({ from }) => from === at);
      const why = bar === undefined ? source.endReason : `${source.endReason}, payment ${bar.paymentId}`;
      return `${what} ended at ${iso(at)} (${why}).`;
    }
    case 'never':
      return `${what} gives nothing: ${source.endReason}.`;
    default:
      return verdict satisfies never;
  }
}

function summaryOf(decision: Decision, winner: SourceTrace | null): string {
  if (winner === null) return `Not entitled: ${decision.reason}; no source gives the feature at this moment.`;
  if (winner.effect === 'deny') return `Not entitled: deny grant ${winner.id} beats every other source.`;
  const until = decision.validTo === null ? 'without end' : `until ${iso(decision.validTo)}`;
  return `Entitled ${until}: of the sources that give it now, ${winner.type} ${winner.id} lasts longest.`;
}

function iso(at: Instant): string {
  return new Date(at).toISOString();
}
