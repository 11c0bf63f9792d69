import { describe, test } from 'vitest';
import { play } from './story.ts';
import { CHANGES } from './tables/changes.ts';
import { BEGINNINGS, DUNNING, ENDS, RENEWALS } from './tables/lives.ts';
import { DISCOUNTS, PREVIEWS, SCHEDULES, TRIALS } from './tables/plans.ts';

describe.each(
  Object.entries({
    'changes of plan and quantity': CHANGES,
    renewals: RENEWALS,
    beginnings: BEGINNINGS,
    dunning: DUNNING,
    'ends and pauses': ENDS,
    trials: TRIALS,
    discounts: DISCOUNTS,
    schedules: SCHEDULES,
    previews: PREVIEWS,
  }),
)('%s', (_name, stories) => {
  test.each(stories.map((story) => ({ ...story })))('$title', (story) => play(story));
});
