/**
 * A snapshot's body as a short text, for the cache: names of fields and words are left out, which makes it a third of
 * the JSON, and reading it back costs less than parsing that. It never leaves the process.
 */
import type {
  Aggregation,
  BarredSpan,
  DeniedReason,
  EntitledReason,
  FeatureTrace,
  FeatureType,
  SnapshotBody,
  SourceTrace,
  SourceType,
} from '@tollgate/core';

const TYPES = { boolean: 0, limit: 1, metered: 2 } satisfies Record<FeatureType, number>;
const AGGREGATIONS = { max: 0, sum: 1 } satisfies Record<Aggregation, number>;
const KINDS = { subscription: 0, purchase: 1, grant: 2 } satisfies Record<SourceType, number>;
const EFFECTS = { allow: 0, deny: 1 } satisfies Record<SourceTrace['effect'], number>;
const ENTITLED = {
  subscription_active: 0,
  subscription_trialing: 1,
  subscription_grace: 2,
  subscription_slack: 3,
  purchase: 4,
  grant: 5,
} satisfies Record<EntitledReason, number>;
const DENIED = {
  unknown_feature: 0,
  no_source: 1,
  not_started: 2,
  expired: 3,
  canceled: 4,
  paused: 5,
  unpaid: 6,
  payment_past_due: 7,
  payment_pending: 8,
  refunded: 9,
  disputed: 10,
  revoked: 11,
  denied: 12,
} satisfies Record<DeniedReason, number>;

/** Every reason there is, in the words of the API. */
export const ENTITLED_REASONS = Object.keys(ENTITLED) as readonly EntitledReason[];
export const DENIED_REASONS = Object.keys(DENIED) as readonly DeniedReason[];

type Packed = [feature: string, type: number, aggregation: number, sources: PackedSource[]];
type PackedWindow = [from: number, to: number | null, reason: number];
type PackedBar = [from: number, to: number | null, reason: number, paymentId: string];
type PackedSource = [
  type: number,
  id: string,
  via: string | null,
  effect: number,
  value: number | null,
  unlimited: 0 | 1,
  windows: PackedWindow[],
  endReason: number,
  endedAt: number | null,
  periodEnd: number | null,
  willRenew: 0 | 1,
  /** Left out where there is none, as for nearly all. */
  barred?: PackedBar[],
];

/** The text of a body. */
export function packSnapshot(body: SnapshotBody): string {
  return JSON.stringify(Object.values(body.features).map(packFeature));
}

/** The body that a text of `packSnapshot` stands for. */
export function unpackSnapshot(text: string): SnapshotBody {
  const features: Record<string, FeatureTrace> = {};
  for (const [feature, type, aggregation, sources] of JSON.parse(text) as Packed[]) {
    features[feature] = {
      feature,
      type: word(TYPES, type),
      aggregation: word(AGGREGATIONS, aggregation),
      sources: sources.map(unpackSource),
    };
  }
  return { features };
}

function packFeature(trace: FeatureTrace): Packed {
  const { feature, type, aggregation, sources, ...rest } = trace;
  // A field that the domain gains does not compile here until it is packed.
  rest satisfies Record<string, never>;
  return [feature, TYPES[type], AGGREGATIONS[aggregation], sources.map(packSource)];
}

function packSource(source: SourceTrace): PackedSource {
  const {
    type,
    id,
    via,
    effect,
    value,
    unlimited,
    windows,
    endReason,
    endedAt,
    periodEnd,
    willRenew,
    barred,
    ...rest
  } = source;
  rest satisfies Record<string, never>;
  const packed: PackedSource = [
    KINDS[type],
    id,
    via,
    EFFECTS[effect],
    value,
    unlimited ? 1 : 0,
    windows.map((window) => {
      const { from, to, reason, ...more } = window;
      more satisfies Record<string, never>;
      return [from, to, ENTITLED[reason]];
    }),
    DENIED[endReason],
    endedAt,
    periodEnd,
    willRenew ? 1 : 0,
  ];
  if (barred !== undefined) packed.push(barred.map(packBar));
  return packed;
}

function packBar(bar: BarredSpan): PackedBar {
  const { from, to, reason, paymentId, ...rest } = bar;
  rest satisfies Record<string, never>;
  return [from, to, DENIED[reason], paymentId];
}

function unpackSource(packed: PackedSource): SourceTrace {
  const [type, id, via, effect, value, unlimited, windows, endReason, endedAt, periodEnd, willRenew, barred] = packed;
  return {
    type: word(KINDS, type),
    id,
    via,
    effect: word(EFFECTS, effect),
    value,
    unlimited: unlimited === 1,
    windows: windows.map(([from, to, reason]) => ({ from, to, reason: word(ENTITLED, reason) })),
    endReason: word(DENIED, endReason),
    endedAt,
    periodEnd,
    willRenew: willRenew === 1,
    ...(barred === undefined ? {} : { barred: barred.map(unpackBar) }),
  };
}

function unpackBar([from, to, reason, paymentId]: PackedBar): BarredSpan {
  return { from, to, reason: word(DENIED, reason) as BarredSpan['reason'], paymentId };
}

/** The tables are written in the order of their numbers. */
const words = new Map<object, string[]>(
  [TYPES, AGGREGATIONS, KINDS, EFFECTS, ENTITLED, DENIED].map((table) => [table, Object.keys(table)]),
);

function word<T extends Record<string, number>>(table: T, number: number): keyof T & string {
  return words.get(table)?.[number] as keyof T & string;
}
