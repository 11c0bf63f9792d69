/**
 * Runs seeds of the simulation: `node simulation/main.ts SEEDS [--customers 8] [--months 6] …`, see README.md. Ends with 1
 * when a seed failed, after having told its smallest story and the command that replays it.
 */
import { parseArgs } from 'node:util';
import { BUGS } from './bugs.ts';
import { huntBugs } from './hunt.ts';
import { type Plan, runSeeds } from './runner.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    customers: { type: 'string', default: '8' },
    months: { type: 'string', default: '6' },
    projects: { type: 'string', default: '2' },
    pace: { type: 'string', default: '1' },
    processes: { type: 'string', default: '2' },
    workers: { type: 'string', default: '2' },
    calm: { type: 'boolean', default: false },
    only: { type: 'string' },
    without: { type: 'string' },
    bug: { type: 'string' },
    bugs: { type: 'boolean', default: false },
    minutes: { type: 'string' },
    trace: { type: 'boolean', default: false },
    'no-shrink': { type: 'boolean', default: false },
  },
});

const plan: Plan = {
  seeds: positionals.flatMap(seedsIn),
  size: {
    customers: Number(values.customers),
    months: Number(values.months),
    projects: Number(values.projects),
    pace: Number(values.pace),
  },
  processes: Number(values.processes),
  workers: Number(values.workers),
  calm: values.calm,
  only: values.only === undefined ? null : values.only.split(',').filter(Boolean).map(Number),
  without: values.without === undefined ? [] : values.without.split(',').filter(Boolean),
  bug: values.bug ?? null,
  trace: values.trace,
  minutes: values.minutes === undefined ? null : Number(values.minutes),
  shrink: !values['no-shrink'],
};
if (plan.bug !== null && !BUGS.some(({ name }) => name === plan.bug)) {
  throw new Error(`There is no bug ${plan.bug}. There are: ${BUGS.map(({ name }) => name).join(', ')}`);
}
const ok = values.bugs ? await huntBugs(plan) : await runSeeds(plan);
process.exit(ok ? 0 : 1);

/** `7`, `1..200`, `3,5,9`. */
function seedsIn(text: string): string[] {
  return text.split(',').flatMap((part) => {
    const range = /^(\d+)\.\.(\d+)$/.exec(part);
    if (range === null) return part === '' ? [] : [part];
    const [first, last] = [Number(range[1]), Number(range[2])];
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => String(first + index));
  });
}
