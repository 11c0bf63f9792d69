import type { AnchorConfig, Subscription } from '../model.ts';

const DAY = 86_400_000;

function daysIn(year: number, month: number): number {
  return new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
}

/** The day and time of a configuration in a month (0: January), in Unix seconds; the 31st is the last day of shorter ones. */
function inMonth(config: AnchorConfig, now: number, year: number, month: number): number {
  const time = new Date(now * 1000);
  const whole = new Date(Date.UTC(year, month, 1));
  const day = Math.min(config.day_of_month, daysIn(whole.getUTCFullYear(), whole.getUTCMonth()));
  return (
    Date.UTC(
      whole.getUTCFullYear(),
      whole.getUTCMonth(),
      day,
      config.hour ?? time.getUTCHours(),
      config.minute ?? time.getUTCMinutes(),
      config.second ?? time.getUTCSeconds(),
    ) / 1000
  );
}

/** The first moment from now on that a configuration names. */
export function firstAnchor(config: AnchorConfig, now: number): number {
  const today = new Date(now * 1000);
  const [year, month] = [today.getUTCFullYear(), today.getUTCMonth()];
  const months = config.month === null ? [month, month + 1] : [config.month - 1, config.month - 1 + 12];
  const moments = months.map((one) => inMonth(config, now, year, one));
  return moments.find((moment) => moment >= now) ?? now;
}

/**
 * What the boundaries of a billing cycle are counted from. It is the anchor itself, unless that fell into a month that
 * is too short for the day it is to be on: then a boundary before it that is on the day.
 */
export function cycleAnchor({
  billing_cycle_anchor: anchor,
  billing_cycle_anchor_config: config,
}: Subscription): number {
  const day = new Date(anchor * 1000).getUTCDate();
  if (config === null || config.day_of_month <= day) return anchor;
  // Two months in a row are never both short.
  const before = new Date(anchor * 1000 - day * DAY);
  before.setUTCDate(Math.min(config.day_of_month, daysIn(before.getUTCFullYear(), before.getUTCMonth())));
  return before.getTime() / 1000;
}
