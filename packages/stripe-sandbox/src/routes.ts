import type { Params, Shape } from './params.ts';
import type { World } from './world.ts';

export type Method = 'DELETE' | 'GET' | 'POST';

/** One operation of the API. */
export interface Route {
  method: Method;
  /** Its path under `/v1`; `:` begins a part that the request fills in. */
  path: string;
  shape: Shape;
  /** @param ids what the request filled into the path, in order */
  run: (world: World, params: Record<string, unknown>, ids: string[]) => object;
}

/** An operation whose parameters are read with a shape before it is carried out. */
export function route<S extends Shape>(
  method: Method,
  path: string,
  shape: S,
  run: (world: World, params: Params<S>, id: string, nested: string) => object,
): Route {
  return {
    method,
    path,
    shape,
    run: (world, params, ids) => run(world, params as Params<S>, ids[0] ?? '', ids[1] ?? ''),
  };
}

/** Routes by how many parts their path has, so that few have to be looked at. */
export class Routes {
  readonly #byLength = new Map<number, { parts: string[]; route: Route }[]>();

  constructor(routes: readonly Route[]) {
    for (const entry of routes) {
      const parts = entry.path.split('/').slice(1);
      const others = this.#byLength.get(parts.length) ?? [];
      others.push({ parts, route: entry });
      this.#byLength.set(parts.length, others);
    }
  }

  /** The route that a request is for, with what it fills into the path. A fixed part wins over one that is filled in. */
  match(method: string, path: string): { route: Route; ids: string[] } | undefined {
    const given = path.split('/').slice(1);
    let best: { route: Route; ids: string[] } | undefined;
    for (const { parts, route: candidate } of this.#byLength.get(given.length) ?? []) {
      if (candidate.method !== method) continue;
      const fits = parts.every((part, index) => part.startsWith(':') || part === given[index]);
      if (!fits) continue;
      const ids = given.filter((_, index) => parts[index]?.startsWith(':')).map(decodeURIComponent);
      if (best === undefined || ids.length < best.ids.length) best = { route: candidate, ids };
    }
    return best;
  }
}
