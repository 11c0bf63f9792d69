import type { Recurring } from '../model.ts';

const DAY = 86_400;

function addMonths(anchor: number, months: number): number {
  const date = new Date(anchor * 1000);
  const day = date.getUTCDate();
  const moved = new Date(anchor * 1000);
  moved.setUTCDate(1);
  moved.setUTCMonth(moved.getUTCMonth() + months);
  const daysInMonth = new Date(Date.UTC(moved.getUTCFullYear(), moved.getUTCMonth() + 1, 0)).getUTCDate();
  moved.setUTCDate(Math.min(day, daysInMonth));
  return moved.getTime() / 1000;
}

/** The anchor moved by a number of billing periods. The 31st becomes the last day of shorter months. */
export function addPeriods(anchor: number, recurring: Recurring, periods: number): number {
  const count = recurring.interval_count * periods;
  switch (recurring.interval) {
    case 'day':
      return anchor + count * DAY;
    case 'week':
      return anchor + count * 7 * DAY;
    case 'month':
      return addMonths(anchor, count);
    case 'year':
      return addMonths(anchor, 12 * count);
  }
}

const ROUGH_SECONDS = { day: DAY, week: 7 * DAY, month: 30.44 * DAY, year: 365.25 * DAY };

/** The first boundary of the billing cycle after a time. The anchor itself is a boundary when it lies ahead. */
export function boundaryAfter(anchor: number, recurring: Recurring, time: number): number {
  const rough = ROUGH_SECONDS[recurring.interval] * recurring.interval_count;
  let periods = Math.floor((time - anchor) / rough) - 1;
  while (addPeriods(anchor, recurring, periods) <= time) periods += 1;
  return addPeriods(anchor, recurring, periods);
}
