/**
 * Fastify compiles a serializer for every answer of every route, which takes longer than anything else when a process
 * starts. They depend on nothing but their schemas: processes that start again and again share them.
 */
import { createRequire } from 'node:module';

type Build = (schema: object, options?: { schema?: object }) => unknown;

/** Call it before Fastify is imported. */
export function shareSerializers(): void {
  const fromServer = createRequire(new URL('../../packages/server/package.json', import.meta.url));
  const fromFastify = createRequire(fromServer.resolve('fastify'));
  const fromCompiler = createRequire(fromFastify.resolve('@fastify/fast-json-stringify-compiler'));
  const file = fromCompiler.resolve('fast-json-stringify');
  const build = fromCompiler('fast-json-stringify') as Build;
  const shared = new Map<string, unknown>();
  const texts = new WeakMap<object, string>();
  const textOf = (value: object) => {
    const known = texts.get(value);
    if (known !== undefined) return known;
    const text = JSON.stringify(value);
    texts.set(value, text);
    return text;
  };
  const memoised: Build = (schema, options) => {
    const key = `${JSON.stringify(schema)}${textOf(options?.schema ?? {})}`;
    if (!shared.has(key)) shared.set(key, build(schema, options));
    return shared.get(key);
  };
  const loaded = fromCompiler.cache[file];
  if (loaded === undefined) throw new Error('fast-json-stringify was not loaded.');
  loaded.exports = Object.assign(memoised, build);
}
