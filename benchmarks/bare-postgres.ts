/**
 * The yardstick where the database has to be asked: the same HTTP framework and driver, one statement a request and
 * nothing else. `GET /?customer_id=` reads a snapshot by its primary key; `POST /` stores the body in a table of its own,
 * and answers once that is committed. DATABASE is the connection as JSON; PROJECT is who is asked about.
 */
import { randomUUID } from 'node:crypto';
import Fastify from 'fastify';
import pg from 'pg';

const pool = new pg.Pool({ ...JSON.parse(process.env.DATABASE ?? '{}'), max: 10 });
const app = Fastify();
app.removeAllContentTypeParsers();
app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));

app.get('/', async (request) => {
  const { customer_id: customerId } = request.query as { customer_id: string };
  const { rows } = await pool.query({
    name: 'one',
    text: 'select version, body from tollgate.snapshots where project_id = $1 and external_id = $2',
    values: [process.env.PROJECT, customerId],
  });
  return rows[0];
});

app.post('/', async (request) => {
  await pool.query({
    name: 'store',
    text: 'insert into bare_events (id, payload) values ($1, $2)',
    values: [randomUUID(), request.body],
  });
  return { received: true };
});

await pool.query('create table if not exists bare_events (id uuid primary key, payload jsonb not null)');
await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
process.stdout.write('listening\n');
