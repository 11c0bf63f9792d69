/**
 * Fills a project with customers of three features each. The first customer's facts and snapshot come about as any
 * customer's do (grants through the API); the others are copies of its rows, so that 100,000 take seconds.
 */
import pg from 'pg';
import { ADMIN_KEY, call, type RunningService } from './service.ts';

/** Fills the project with `u_0` to `u_<count - 1>`. */
export async function loadCustomers(service: RunningService, projectId: string, key: string, count: number) {
  await makeFirst(service, projectId, key);
  await copyFirst(service, projectId, 1, count);
}

/** The customer `u_0`, with a grant of each of three features. */
export async function makeFirst(service: RunningService, projectId: string, key: string): Promise<void> {
  const api = `${service.url}/api/v1`;
  for (const feature of [
    { code: 'pro_export', name: 'Pro export', type: 'boolean' },
    { code: 'priority_support', name: 'Priority support', type: 'boolean' },
    { code: 'seats', name: 'Seats', type: 'limit' },
  ]) {
    await call('POST', `${api}/features`, key, feature);
  }
  for (const grant of [{ feature: 'pro_export' }, { feature: 'priority_support' }, { feature: 'seats', value: 5 }]) {
    await call('POST', `${api}/admin/grant`, ADMIN_KEY, {
      project_id: projectId,
      customer_id: 'u_0',
      reason: 'Benchmark',
      ...grant,
    });
  }
}

/** Copies `u_0` to `u_<from>` and those after it, up to but not with `u_<to>`. */
export async function copyFirst(service: RunningService, projectId: string, from: number, to: number): Promise<void> {
  const client = new pg.Client(await service.database());
  await client.connect();
  try {
    await client.query(
      `insert into tollgate.customers (id, project_id, external_id)
       select 'cust_bench_' || lpad(n::text, 9, '0'), $1, 'u_' || n from generate_series($2::int, $3 - 1) n`,
      [projectId, from, to],
    );
    await client.query(
      `insert into tollgate.snapshots (project_id, external_id, customer_id, version, body, recorded_at)
       select s.project_id, c.external_id, c.id, s.version, s.body, s.recorded_at
       from tollgate.snapshots s, tollgate.customers c
       where s.project_id = $1 and s.external_id = 'u_0' and c.project_id = $1
         and c.id >= 'cust_bench_' || lpad($2::text, 9, '0') and c.id < 'cust_bench_' || lpad($3::text, 9, '0')`,
      [projectId, from, to],
    );
    await client.query('analyze tollgate.customers, tollgate.snapshots');
  } finally {
    await client.end();
  }
}
