import { type ObjectShape, SdkTypes, type Shape } from './sdk-types.ts';

type Json = Record<string, unknown>;

/** Fields whose one declared value tells the members of a union apart. */
const TELLING = ['object', 'type', 'deleted'];

let sdk: SdkTypes | undefined;
/** The declarations, read once in a test run. */
function types(): SdkTypes {
  sdk ??= new SdkTypes();
  return sdk;
}

function isGroup(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function nameOf(shape: Shape): string {
  if (shape.kind === 'literal') return JSON.stringify(shape.value);
  if (shape.kind === 'union') return shape.of.map(nameOf).join(' | ');
  if (shape.kind === 'list') return `a list of ${nameOf(shape.of)}`;
  return shape.kind === 'object' ? shape.name : shape.kind;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** Checks values against shapes. A partial check (for `previous_attributes`) lets fields be absent or null. */
class Check {
  readonly problems: string[] = [];
  readonly #partial: boolean;

  constructor(partial = false) {
    this.#partial = partial;
  }

  value(value: unknown, shape: Shape, path: string): void {
    if (shape.kind === 'anything' || (this.#partial && value === null)) return;
    if (shape.kind === 'union') this.#union(value, shape.of, path);
    else if (shape.kind === 'object') this.#object(value, shape, path);
    else if (shape.kind === 'list') this.#list(value, shape.of, path);
    else if (!fits(value, shape)) this.problems.push(`${path} is ${shown(value)}, not ${nameOf(shape)}`);
  }

  #list(value: unknown, of: Shape, path: string): void {
    if (!Array.isArray(value)) {
      this.problems.push(`${path} is ${shown(value)}, not a list`);
      return;
    }
    value.forEach((entry, index) => {
      this.value(entry, of, `${path}[${index}]`);
    });
  }

  #object(value: unknown, shape: ObjectShape, path: string): void {
    if (!isGroup(value)) {
      this.problems.push(`${path} is ${shown(value)}, not ${shape.name}`);
      return;
    }
    for (const [name, field] of shape.fields) {
      if (name in value) {
        const partial = name === 'previous_attributes';
        const check = partial ? new Check(true) : this;
        check.value(value[name], field.shape, `${path}.${name}`);
        if (partial) this.problems.push(...check.problems);
      } else if (!field.optional && !this.#partial && field.shape.kind !== 'nothing') {
        this.problems.push(`${path}.${name} is missing (${shape.name})`);
      }
    }
    for (const name of Object.keys(value)) {
      if (shape.fields.has(name)) continue;
      if (shape.rest === undefined) this.problems.push(`${path}.${name} is not declared (${shape.name})`);
      else this.value(value[name], shape.rest, `${path}.${name}`);
    }
  }

  #union(value: unknown, members: Shape[], path: string): void {
    const refuse = () =>
      this.problems.push(`${path} is ${shown(value)}, not ${nameOf({ kind: 'union', of: members })}`);
    if (!isGroup(value) && !Array.isArray(value)) {
      if (!members.some((member) => fits(value, member))) refuse();
      return;
    }
    const candidates = members.flatMap((member) => (member.kind === 'union' ? member.of : [member]));
    const likely = candidates.filter((member) => mayBe(value, member, this.#partial));
    if (likely.length === 0) {
      refuse();
      return;
    }
    const attempts = likely.map((member) => {
      const attempt = new Check(this.#partial);
      attempt.value(value, member, path);
      return attempt.problems;
    });
    this.problems.push(...(attempts.sort((a, b) => a.length - b.length)[0] ?? []));
  }
}

/** Whether a value that is neither a group nor a list is one of a shape. */
function fits(value: unknown, shape: Shape): boolean {
  switch (shape.kind) {
    case 'anything':
      return true;
    case 'null':
      return value === null;
    case 'literal':
      return value === shape.value;
    case 'decimal':
      return typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value);
    case 'number':
      return typeof value === 'number' && Number.isFinite(value);
    case 'string':
    case 'boolean':
      return typeof value === shape.kind;
    case 'union':
      return shape.of.some((member) => fits(value, member));
    default:
      return false;
  }
}

/** Whether a group or list may be one of a shape, by its kind and by the fields that tell. */
function mayBe(value: unknown, shape: Shape, partial = false): boolean {
  if (shape.kind === 'anything') return true;
  if (shape.kind === 'list') return Array.isArray(value);
  if (shape.kind !== 'object' || !isGroup(value)) return false;
  return TELLING.every((name) => {
    const field = shape.fields.get(name)?.shape;
    if (field?.kind === 'nothing') return !(name in value);
    return field?.kind !== 'literal' || value[name] === field.value || (partial && !(name in value));
  });
}

function eventProblems(event: Json, path: string): string[] {
  const all = types().exported('resources/Events', 'Event');
  const members = all.kind === 'union' ? all.of : [all];
  const ofType = members.filter((member) => mayBe(event, member));
  if (ofType.length === 0) return [`${path}: the client knows no event ${shown(event.type)}`];
  const check = new Check();
  check.value(event, { kind: 'union', of: ofType }, `${path}(${String(event.type)})`);
  return check.problems;
}

/**
 * What is wrong with an answer of the API, by the declarations of the official client: an object (by the word in its
 * `object`), a page of a list, a page of a search, or an event (by its `type`).
 *
 * @returns one line a problem, with the path to it; none when the client's types would accept it
 */
export function shapeProblems(value: unknown, path = '$'): string[] {
  if (!isGroup(value) || typeof value.object !== 'string') return [`${path} is ${shown(value)}, not an API object`];
  if (value.object === 'event') return eventProblems(value, path);
  const check = new Check();
  if (value.object === 'list' || value.object === 'search_result') {
    const page = types().exported('lib', value.object === 'list' ? 'ApiList' : 'ApiSearchResult');
    check.value(value, page, path);
    const data = Array.isArray(value.data) ? value.data : [];
    return [...check.problems, ...data.flatMap((entry, index) => shapeProblems(entry, `${path}.data[${index}]`))];
  }
  const shapes = types().objectShapes(value.object);
  if (shapes.length === 0) return [`${path}: the client knows no object ${shown(value.object)}`];
  check.value(value, { kind: 'union', of: shapes }, path);
  return check.problems;
}
