/** What made something change: kept with every fact version and snapshot version. */
export interface Cause {
  type:
    | 'event'
    | 'checkout'
    | 'grant'
    | 'revocation'
    | 'reconciliation'
    | 'catalog'
    | 'policy'
    | 'customer'
    | 'attachment'
    | 'import';
  /**
   * The event, session, grant, run, recomputation, parked object, import or request that stands behind it; of `catalog` also
   * the object that became known, for whose sake somebody looked again.
   */
  id: string;
}
