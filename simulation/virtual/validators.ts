/**
 * TypeBox compiles a validator for each body and query of every route. They depend on nothing but their schemas:
 * processes of the service that start again and again share them, as they do serializers.
 */
import type { TSchema } from 'typebox';
import * as typebox from 'typebox/compile';

const shared = new Map<string, typebox.Validator>();

export type Validator = typebox.Validator;

/** As TypeBox's, with the schemas that are referred to by name. */
export function Compile(...args: [TSchema] | [Record<string, TSchema>, TSchema]): typebox.Validator {
  const [references, schema] = args.length === 1 ? [{}, args[0]] : args;
  const key = `${Object.keys(references).join()} ${JSON.stringify(schema)}`;
  const known = shared.get(key) ?? typebox.Compile(references, schema);
  shared.set(key, known as typebox.Validator);
  return known as typebox.Validator;
}
