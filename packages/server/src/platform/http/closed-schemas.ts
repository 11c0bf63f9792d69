import { namedSchemas } from './schemas.ts';

/**
 * Where a schema of a body or query would let unknown fields pass.
 * @returns JSON pointers of the open objects; empty when the schema is closed
 */
export function openObjects(schema: unknown, pointer = '#', seen = new Set<unknown>()): string[] {
  if (typeof schema !== 'object' || schema === null || seen.has(schema)) return [];
  seen.add(schema);
  const node = schema as Record<string, unknown>;
  if (typeof node.$ref === 'string')
    return openObjects(namedSchemas().get(node.$ref.replace(/#$/, '')), node.$ref, seen);
  const open = node.type === 'object' && isOpen(node) ? [pointer] : [];
  for (const [key, child] of Object.entries(node)) {
    if (typeof child === 'object' && child !== null) open.push(...openObjects(child, `${pointer}/${key}`, seen));
  }
  return open;
}

/** A map from any key to a described value is no open object: it says what it takes. */
function isOpen(node: Record<string, unknown>): boolean {
  if (node.additionalProperties === false) return false;
  const describesTheRest = typeof node.additionalProperties === 'object' && node.additionalProperties !== null;
  return !describesTheRest;
}
