import type { Kysely, Transaction } from 'kysely';
import type { Schema } from '../schema.ts';

/** The database, or a transaction on it: use cases that only read or write rows take this. */
export type Queryable = Kysely<Schema>;
export type Database = Kysely<Schema>;
export type Tx = Transaction<Schema>;
