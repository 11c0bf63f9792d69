import { invalidRequest, missing } from './errors.ts';
import type { Kind, Kinds, ListOf } from './model.ts';
import { integer, optional, text } from './params.ts';
import type { By, Store } from './store.ts';

/** The parameters of every list. */
export const listShape = {
  limit: optional(integer),
  starting_after: optional(text),
  ending_before: optional(text),
};

/** What a list asks for: at most `limit` objects (1 to 100, default 10), after or before a cursor. */
export interface PageRequest {
  limit: number | undefined;
  starting_after: string | undefined;
  ending_before: string | undefined;
}

interface Source<T> {
  url: string;
  /** Newest first is how lists are given; this is oldest first. */
  objects: readonly T[];
  positionOf: (id: string) => number | undefined;
  noun: string;
}

function limitOf(request: PageRequest): number {
  const limit = request.limit ?? 10;
  if (limit < 1 || limit > 100) {
    const bound = limit < 1 ? 'greater than or equal to 1' : 'less than or equal to 100';
    throw invalidRequest(`This value must be ${bound} (it currently is '${limit}').`, {
      code: 'parameter_invalid_integer',
      param: 'limit',
    });
  }
  return limit;
}

/** The index of the first object whose position is at least the given one. */
function firstFrom<T extends { id: string }>(source: Source<T>, position: number): number {
  let low = 0;
  let high = source.objects.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const object = source.objects[middle];
    if (object !== undefined && (source.positionOf(object.id) ?? 0) < position) low = middle + 1;
    else high = middle;
  }
  return low;
}

function paginate<T extends { id: string }>(
  source: Source<T>,
  request: PageRequest,
  keep: (object: T) => boolean,
): ListOf<T> {
  const limit = limitOf(request);
  if (request.starting_after !== undefined && request.ending_before !== undefined) {
    throw invalidRequest('You cannot parameterize on both starting_after and ending_before.', {
      param: 'starting_after',
    });
  }
  const cursorParam = request.starting_after === undefined ? 'ending_before' : 'starting_after';
  const cursor = request[cursorParam];
  const forward = request.ending_before === undefined;
  let index = source.objects.length - 1;
  if (cursor !== undefined) {
    const position = source.positionOf(cursor);
    if (position === undefined) throw missing(source.noun, cursor, cursorParam);
    index = forward ? firstFrom(source, position) - 1 : firstFrom(source, position + 1);
  }
  const found: T[] = [];
  const step = forward ? -1 : 1;
  for (; index >= 0 && index < source.objects.length && found.length <= limit; index += step) {
    const object = source.objects[index];
    if (object !== undefined && keep(object)) found.push(object);
  }
  const data = found.slice(0, limit);
  return { object: 'list', data: forward ? data : data.reverse(), has_more: found.length > limit, url: source.url };
}

/**
 * One page of a kind's objects, newest first.
 *
 * @throws StripeError when both cursors are given, a cursor is unknown, or the limit is out of bounds
 */
export function pageOf<K extends Kind>(
  store: Store,
  kind: K,
  request: PageRequest,
  options: { url: string; by?: By | undefined; keep?: (object: Kinds[K]) => boolean },
): ListOf<Kinds[K]> {
  const source = {
    url: options.url,
    objects: store.all(kind, options.by),
    positionOf: (id: string) => store.position(kind, id),
    noun: kind.replace('.', ' '),
  };
  return paginate<Kinds[K]>(source, request, options.keep ?? (() => true));
}

/** One page of a list that belongs to an object, such as an invoice's lines, in the order it is kept in. */
export function pageOfNested<T extends { id: string }>(
  objects: readonly T[],
  request: PageRequest,
  url: string,
): ListOf<T> {
  const oldestLast = [...objects].reverse();
  const positions = new Map(oldestLast.map((object, index) => [object.id, index + 1]));
  const source = { url, objects: oldestLast, positionOf: (id: string) => positions.get(id), noun: 'item' };
  return paginate(source, request, () => true);
}

/** The index that narrows a list down, by the first of these parameters that is given: they are named like their indexes. */
export function firstBy<N extends string>(
  params: { [K in N]: string | undefined },
  names: readonly N[],
): By | undefined {
  const name = names.find((candidate) => params[candidate] !== undefined);
  return name === undefined ? undefined : { key: name, value: params[name] ?? '' };
}

/** A nested list as it stands inside its object: Stripe shows at most ten there. */
export function nestedList<T extends { id: string }>(objects: readonly T[], url: string): ListOf<T> {
  return { object: 'list', data: objects.slice(0, 10), has_more: objects.length > 10, url };
}
