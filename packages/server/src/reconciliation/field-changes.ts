/** One field that differs: what is stored, and what Stripe says. */
export interface FieldChange {
  /** Dotted path: `items.0.current_period_end`. */
  field: string;
  /** What Tollgate has; null also where it has nothing. */
  before: unknown;
  /** What Stripe has; null also where it has nothing. */
  after: unknown;
}

/** More than this many say no more about a drift, and a row stays small. */
const MOST_FIELDS = 100;
const INSTANT = /(_at|_start|_end|_since)$|^end$/;

/**
 * The fields in which two states differ, in order. Instants (epoch milliseconds) become RFC 3339, names snake_case.
 * @param before - what is stored; null: nothing
 * @param after - what Stripe has; null: nothing
 */
export function fieldChanges(before: object | null, after: object | null): FieldChange[] {
  const was = leaves(before);
  const is = leaves(after);
  const fields = [...new Set([...was.keys(), ...is.keys()])].sort();
  const changes: FieldChange[] = [];
  for (const field of fields) {
    const change = { field, before: was.get(field) ?? null, after: is.get(field) ?? null };
    if (change.before !== change.after) changes.push(change);
  }
  return changes.slice(0, MOST_FIELDS);
}

/** Every value that is no object, by its path; an empty list or object counts as nothing. */
function leaves(root: object | null): Map<string, unknown> {
  const found = new Map<string, unknown>();
  const visit = (value: unknown, path: string, name: string): void => {
    if (typeof value === 'object' && value !== null) {
      for (const [key, member] of Object.entries(value)) {
        const next = snakeCase(key);
        visit(member, path === '' ? next : `${path}.${next}`, next);
      }
    } else {
      found.set(path, typeof value === 'number' && INSTANT.test(name) ? new Date(value).toISOString() : value);
    }
  };
  if (root !== null) visit(root, '', '');
  return found;
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
