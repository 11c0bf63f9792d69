/** The table of hazards leads to tests that there are. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const DOCS = path.join(import.meta.dirname, '../../../../docs');

const [, section = ''] = readFileSync(path.join(DOCS, 'correctness.md'), 'utf8').split('\n## Hazards\n');
const hazards = section
  .split('\n## ')[0]
  ?.split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| hazard |'))
  .map((line): [hazard: string, tests: { title: string; file: string }[]] => {
    const [, hazard = '', tests = ''] = line.split('|');
    const links = [...tests.matchAll(/\[([^\]]+)\]\(([^)]+)\)/g)];
    return [hazard.trim(), links.map(([, title = '', file = '']) => ({ title, file }))];
  });

describe('the table of hazards', () => {
  it('is there', () => {
    expect(hazards?.length).toBeGreaterThanOrEqual(60);
  });

  it.each(hazards ?? [])('shows a test that exists for: %s', (_hazard, tests) => {
    expect(tests.length).toBeGreaterThan(0);
    for (const { title, file } of tests) {
      const source = readFileSync(path.join(DOCS, file), 'utf8');
      const quoted = title.replaceAll("'", "\\'");
      expect(source.includes(title) || source.includes(quoted), `"${title}" in ${file}`).toBe(true);
    }
  });
});
