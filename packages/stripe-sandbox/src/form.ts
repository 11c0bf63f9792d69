import { invalidRequest } from './errors.ts';

/** A request's parameters as they came in: nothing but text, in the nesting that the brackets give. */
export type FormValue = string | FormGroup;
export interface FormGroup {
  [key: string]: FormValue;
}

const MAX_DEPTH = 8;

function emptyGroup(): FormGroup {
  // Without a prototype, a parameter named `__proto__` is a parameter like any other.
  return Object.create(null) as FormGroup;
}

function keysOf(name: string): string[] {
  const open = name.indexOf('[');
  if (open <= 0) return [name];
  const keys = [name.slice(0, open)];
  for (const match of name.slice(open).matchAll(/\[([^\]]*)\]/g)) keys.push(match[1] ?? '');
  return keys;
}

/**
 * Parses `a[b][0][c]=x&d[]=y` as Stripe does. Lists are groups with the keys 0, 1, 2…; `[]` takes the next free one.
 *
 * @throws StripeError when a name is nested too deeply, or used both as a value and as a group
 */
export function parseForm(text: string): FormGroup {
  const root = emptyGroup();
  for (const [name, value] of new URLSearchParams(text)) {
    if (name.includes('\uFFFD') || value.includes('\uFFFD')) {
      throw invalidRequest('Invalid request: what was sent is not valid UTF-8.');
    }
    const keys = keysOf(name);
    if (keys.length > MAX_DEPTH) throw invalidRequest(`The parameter ${name} is nested too deeply.`, { param: name });
    let group = root;
    keys.forEach((rawKey, position) => {
      const key = rawKey === '' ? String(Object.keys(group).length) : rawKey;
      if (position === keys.length - 1) {
        group[key] = value;
        return;
      }
      const next = group[key] ?? emptyGroup();
      if (typeof next === 'string') throw invalidRequest(`Invalid parameter: ${name}`, { param: name });
      group[key] = next;
      group = next;
    });
  }
  return root;
}
