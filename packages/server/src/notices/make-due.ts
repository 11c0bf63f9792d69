import type { Tx } from '../platform/database.ts';

/** What waits for an endpoint need wait no longer: it has another address, or answers again. */
export async function makeDue(tx: Tx, endpointId: string): Promise<void> {
  await tx
    .updateTable('tollgate.notice_deliveries')
    .set({ next_attempt_at: new Date() })
    .where('endpoint_id', '=', endpointId)
    .where('status', '=', 'pending')
    .where('next_attempt_at', '>', new Date())
    .execute();
}
