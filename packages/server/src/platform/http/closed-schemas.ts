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
  const open = takesObjects(node) && isOpen(node) ? [pointer] : [];
  for (const [key, child] of Object.entries(node)) {
    if (typeof child === 'object' && child !== null) open.push(...openObjects(child, `${pointer}/${key}`, seen));
  }
  return open;
}

function takesObjects(node: Record<string, unknown>): boolean {
  return node.type === 'object' || (Array.isArray(node.type) && node.type.includes('object'));
}

/** A map from any key to a described value is no open object: it says what it takes. */
function isOpen(node: Record<string, unknown>): boolean {
  const { additionalProperties: rest, patternProperties: patterns } = node;
  if (rest === false || (typeof rest === 'object' && rest !== null)) return false;
  return typeof patterns !== 'object' || patterns === null || !('^.*$' in patterns);
}
