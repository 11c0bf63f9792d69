import type { BarredSpan, DeniedReason, Instant, SourceWindow } from './model.ts';

/** What one fact gives, before any feature is attached to it. */
export interface Access {
  windows: readonly SourceWindow[];
  endReason: DeniedReason;
  endedAt: Instant | null;
  periodEnd: Instant | null;
  willRenew: boolean;
  barred?: readonly BarredSpan[];
}

/**
 * Access without the spans that bars take out of it. What they took is told in `barred`, and where they took its end, why
 * and when it ended. Whatever their order, equal bars give equal access.
 */
export function without(access: Access, bars: readonly BarredSpan[]): Access {
  const [first] = access.windows;
  const last = access.windows.at(-1);
  if (first === undefined || last === undefined || bars.length === 0) return access;
  const barred = united(bars.map((bar) => clipped(bar, first.from, last.to)).filter((bar) => !isEmpty(bar)));
  if (barred.length === 0) return access;
  const windows = access.windows.flatMap((window) => remains(window, barred));
  const until = windows.at(-1)?.to;
  if (until !== undefined && until === last.to) return { ...access, windows, barred };
  const endedAt = until ?? first.from;
  const ending = barred.find((bar) => bar.from <= endedAt && (bar.to === null || endedAt < bar.to));
  return { ...access, windows, endReason: ending?.reason ?? access.endReason, endedAt, barred };
}

function remains(window: SourceWindow, barred: readonly BarredSpan[]): SourceWindow[] {
  let parts = [window];
  for (const bar of barred) {
    parts = parts.flatMap((part) => {
      if (isEmpty(clipped(bar, part.from, part.to))) return [part];
      const before = { ...part, to: bar.from };
      const after = bar.to === null ? [] : [{ ...part, from: bar.to }];
      return [before, ...after].filter((left) => !isEmpty(left));
    });
  }
  return parts;
}

/** In order, each payment's spans of one reason joined where they touch. */
function united(bars: readonly BarredSpan[]): BarredSpan[] {
  const joined: BarredSpan[] = [];
  for (const bar of [...bars].sort((a, b) => a.from - b.from)) {
    const at = joined.findIndex(
      (other) => other.paymentId === bar.paymentId && other.reason === bar.reason && reaches(other.to, bar.from),
    );
    const other = joined[at];
    if (other === undefined) joined.push(bar);
    else joined[at] = { ...other, to: later(other.to, bar.to) };
  }
  return joined.sort(
    (a, b) => a.from - b.from || compareText(a.paymentId, b.paymentId) || compareText(a.reason, b.reason),
  );
}

function clipped(bar: BarredSpan, from: number, to: number | null): BarredSpan {
  return { ...bar, from: Math.max(bar.from, from), to: earlier(bar.to, to) };
}

function isEmpty({ from, to }: { from: number; to: number | null }): boolean {
  return to !== null && to <= from;
}

function reaches(to: number | null, from: number): boolean {
  return to === null || to >= from;
}

function earlier(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null ? a : Math.min(a, b);
}

function later(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : Math.max(a, b);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
