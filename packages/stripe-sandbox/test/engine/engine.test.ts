import { describe, test } from 'vitest';
import { play } from './story.ts';
import { CHANGES } from './tables/changes.ts';

describe.each([['changes of plan and quantity', CHANGES]])('%s', (_name, stories) => {
  test.each(stories.map((story) => ({ ...story })))('$title', (story) => play(story));
});
