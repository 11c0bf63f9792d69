import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { Log } from '../platform/log.ts';

const PATIENCE_MS = 60_000;
const PAUSE_MS = 500;
/** A wrong password, an unknown role or database: waiting does not help. */
const HOPELESS = new Set(['28P01', '28000', '3D000']);

/** Waits until PostgreSQL answers: started together, the service is often the faster. @throws the last error */
export async function awaitDatabase(pool: pg.Pool, { log }: { log: Log }): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (let told = false; ; told = true) {
    try {
      await pool.query('select 1');
      return;
    } catch (error) {
      if (HOPELESS.has((error as { code?: string }).code ?? '') || Date.now() > deadline) throw error;
      if (!told) log.warn({ err: error }, `PostgreSQL does not answer yet; waiting for up to ${PATIENCE_MS / 1000} s`);
      await sleep(PAUSE_MS);
    }
  }
}
