/**
 * Puts the simulation's clock, chance and database under the service's own code, and plants bugs in it. Nothing of the
 * service knows of that: files are changed while they are loaded, in this process alone.
 */
import { registerHooks } from 'node:module';
import type { PlantedBug } from './bugs.ts';

const here = new URL('.', import.meta.url);
const CLOCK = new URL('virtual/time.ts', here).href;
const MATH = new URL('virtual/math.ts', here).href;
const REPLACED: Readonly<Record<string, string>> = {
  pg: new URL('virtual/pg.ts', here).href,
  'typebox/compile': new URL('virtual/validators.ts', here).href,
  'node:crypto': new URL('virtual/crypto.ts', here).href,
  'node:timers/promises': new URL('virtual/timers-promises.ts', here).href,
};
/** Names that the clock stands for, where a file uses them. */
const TIME_NAMES = ['Date', 'setTimeout', 'setInterval', 'clearTimeout', 'clearInterval', 'performance'];
const OURS = /\/packages\/(?:server|stripe-sandbox|core)\/src\//;
/** Stripe's SDK waits before it sends a request again. */
const TIMED = /\/packages\/(?:server|stripe-sandbox|core)\/src\/|\/node_modules\/stripe\/esm\//;

/** What a file remembers for as long as its process lives: every run begins without it. */
const STATE = [{ file: '/platform/ids.ts', reset: 'lastTime = 0;' }];

/** Call it before anything of the service is imported. */
export function installHooks(bug: PlantedBug | null): void {
  registerHooks({
    resolve(specifier, context, next) {
      const replacement = REPLACED[specifier];
      if (replacement !== undefined && OURS.test(context.parentURL ?? '')) {
        return { url: replacement, shortCircuit: true };
      }
      return next(specifier, context);
    },
    load(url, context, next) {
      const loaded = next(url, context);
      if (!TIMED.test(url) || loaded.source == null) return loaded;
      let source = loaded.source.toString();
      if (bug !== null && url.endsWith(bug.file)) source = planted(source, bug);
      const state = STATE.find(({ file }) => url.endsWith(file));
      if (state !== undefined) source += `\nimport { onReset } from '${CLOCK}'; onReset(() => { ${state.reset} });`;
      return { ...loaded, source: preludeOf(source) + source };
    },
  });
}

/** On the first line, so that lines keep their numbers. */
function preludeOf(source: string): string {
  const used = TIME_NAMES.filter((name) => new RegExp(`\\b${name}\\b(?!['"])`).test(withoutComments(source)));
  const own = used.filter((name) => !new RegExp(`import[^;]*\\b${name}\\b(?! as)[^;]*from`).test(source));
  const time = own.length === 0 ? '' : `import { ${own.join(', ')} } from '${CLOCK}'; `;
  return /\bMath\.random\b/.test(source) ? `${time}import { Math } from '${MATH}'; ` : time;
}

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, '');
}

function planted(source: string, { name, file, find, replace }: PlantedBug): string {
  const at = source.indexOf(find);
  if (at < 0 || source.indexOf(find, at + 1) >= 0) {
    throw new Error(`The bug ${name} cannot be planted: its text is not, or not only once, in ${file}. Adapt bugs.ts.`);
  }
  return source.slice(0, at) + replace + source.slice(at + find.length);
}
