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
  const numbers = new Map<string, number>();
  const known = new WeakMap<object, number>();
  /** All schemas of an application are a long text: it is made once for each of its processes, and not for each route. */
  const numberOf = (schemas: object) => {
    const number = known.get(schemas);
    if (number !== undefined) return number;
    const text = JSON.stringify(schemas);
    if (!numbers.has(text)) numbers.set(text, numbers.size);
    const fresh = numbers.get(text) as number;
    known.set(schemas, fresh);
    return fresh;
  };
  const none = {};
  const memoised: Build = (schema, options) => {
    const key = `${numberOf(options?.schema ?? none)} ${JSON.stringify(schema)}`;
    if (!shared.has(key)) shared.set(key, build(schema, options));
    return shared.get(key);
  };
  const loaded = fromCompiler.cache[file];
  if (loaded === undefined) throw new Error('fast-json-stringify was not loaded.');
  loaded.exports = Object.assign(memoised, build);
}
