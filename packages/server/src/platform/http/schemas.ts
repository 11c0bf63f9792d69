/** The schema words that every room shares. Objects are closed: a field that is not named is refused. */
import { type Static, type TObject, type TProperties, type TSchema, type TUnsafe, Type } from 'typebox';

const registry = new Map<string, TSchema>();

/**
 * Gives a schema a name in the OpenAPI document, and returns the reference to it that routes and other schemas use.
 * @param name - PascalCase, unique in the service
 */
export function named<T extends TSchema>(name: string, schema: T): TUnsafe<Static<T>> {
  if (registry.has(name)) throw new Error(`Two schemas are called ${name}.`);
  registry.set(name, schema);
  return Type.Unsafe<Static<T>>({ $ref: `${name}#` });
}

/** Every named schema, by name. */
export function namedSchemas(): ReadonlyMap<string, TSchema> {
  return registry;
}

/** An object that takes these fields and no others: for bodies, queries and responses alike. */
export function Closed<T extends TProperties>(properties: T, options: { description?: string } = {}): TObject<T> {
  return Type.Object(properties, { additionalProperties: false, ...options });
}

/** One of a few words. */
export function OneOf<const T extends readonly string[]>(
  values: T,
  options: { description?: string; default?: T[number] } = {},
): TUnsafe<T[number]> {
  return Type.Unsafe<T[number]>({ type: 'string', enum: values, ...options });
}

/** The schema's values, or null. */
export function Nullable<T extends TSchema>(schema: T): TUnsafe<Static<T> | null> {
  if ('type' in schema && typeof schema.type === 'string' && !('enum' in schema)) {
    return Type.Unsafe<Static<T> | null>({ ...schema, type: [schema.type, 'null'] });
  }
  return Type.Unsafe<Static<T> | null>({ anyOf: [schema, { type: 'null' }] });
}

/** The app's own customer id. Printable: no control characters and no line breaks. */
export const CustomerId = Type.String({
  minLength: 1,
  maxLength: 200,
  pattern: '^[^\\p{Cc}\\p{Zl}\\p{Zp}]*$',
  description: "The app's own id for the customer: opaque, case-sensitive, 1 to 200 printable characters.",
});

export const FeatureCode = Type.String({
  pattern: '^[a-z][a-z0-9_]{0,63}$',
  description: 'A feature: lower-case letters, digits and underscores, starting with a letter.',
});

/** A feature that is asked about: any text, since an unknown feature is an answer and no error. */
export const AskedFeature = Type.String({ minLength: 1, maxLength: 200, description: 'The code of a feature.' });

/** RFC 3339, in responses always UTC. */
export const Timestamp = Type.String({ format: 'date-time', maxLength: 40, description: 'RFC 3339.' });

/** Integer minor units of a currency. */
export const Money = named(
  'Money',
  Closed({ currency: Type.String({ description: 'ISO 4217, lower case.' }), amount: Type.Integer() }),
);

export const ProjectId = Type.String({
  minLength: 1,
  maxLength: 64,
  description: 'The project. Only an admin key names it; the project of any other key is implied.',
});

/** Who did it, in the words of the operator's own systems; without it the audit trail names the key. */
export const Actor = Type.String({
  minLength: 1,
  maxLength: 200,
  description: "Who did it, for the audit trail: a person or a system. Default: the key's id.",
});

export const ReasonText = Type.String({
  minLength: 1,
  maxLength: 1000,
  pattern: '\\S',
  description: 'Why, for the audit trail: not blank.',
});

/** A query or body of an app endpoint: an admin key says `project_id` there, other keys may not. */
export function WithProject<T extends TProperties>(properties: T) {
  return Closed({ ...properties, project_id: Type.Optional(ProjectId) });
}

/** The fields of a list's query; spread into the endpoint's own. */
export const ListQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20, description: 'Default 20.' })),
  cursor: Type.Optional(
    Type.String({ minLength: 1, maxLength: 500, description: '`next_cursor` of the page before.' }),
  ),
};

/** The answer of a list endpoint. */
export function ListOf<T extends TSchema>(item: T) {
  return Closed({
    object: Type.Literal('list'),
    data: Type.Array(item),
    has_more: Type.Boolean(),
    next_cursor: Nullable(Type.String()),
  });
}

export const Problem = named(
  'Problem',
  Type.Object(
    {
      type: Type.String(),
      title: Type.String(),
      status: Type.Integer(),
      detail: Type.String({ description: 'What to do.' }),
      code: Type.String({ description: 'Stable; programs branch on it.' }),
      request_id: Type.String(),
      errors: Type.Optional(
        Type.Array(Closed({ path: Type.String({ description: '`features.0.value`' }), message: Type.String() })),
      ),
    },
    { description: 'RFC 9457.' },
  ),
);
