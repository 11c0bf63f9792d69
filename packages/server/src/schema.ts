/** The tables as TypeScript sees them; the truth is in `migrations/`. */
import type { AccessPolicy, Fact, FactKind, FeatureChange, PurchaseFact, SnapshotBody } from '@tollgate/core';
import type { ColumnType, Generated, JSONColumnType } from 'kysely';
import type { ImportRequest } from './adoption/import-request.ts';
import type { Cause } from './facts/cause.ts';
import type { Candidate, ParkedDetail } from './mirror/parked-detail.ts';

/** Read as parsed JSON, written as a JSON string. */
type Json<T extends object | null> = JSONColumnType<T>;
type Timestamp = Date;
type Defaulted<T> = Generated<T>;
/** bigint columns come back as numbers (all of ours stay below 2^53). */
type Big = ColumnType<number, number | string, number | string>;

/** What a payment paid for. */
export interface SoldLine {
  price: string;
  product: string;
  quantity: number | null;
}

/** Money that went back, or may. */
interface MoneyBack {
  connection_id: string;
  id: string;
  payment_id: string;
  project_id: string;
  customer_id: string;
  currency: string;
  amount: Big;
  reason: string | null;
  created_at: Timestamp;
}

export interface Schema {
  'tollgate.projects': {
    id: string;
    name: string;
    slug: string;
    connection_id: Defaulted<string>;
    access_policy: Json<AccessPolicy>;
    catalog_version: Generated<number>;
    created_at: Defaulted<Timestamp>;
    updated_at: Defaulted<Timestamp>;
  };
  'tollgate.api_keys': {
    id: string;
    project_id: string | null;
    kind: 'secret' | 'publishable' | 'admin';
    name: string | null;
    hash: Buffer;
    hint: string;
    scopes: Defaulted<string[]>;
    expires_at: Timestamp | null;
    revoked_at: Timestamp | null;
    last_used_at: Timestamp | null;
    rotated_to: string | null;
    created_at: Defaulted<Timestamp>;
  };
  'tollgate.idempotency_keys': {
    key_id: string;
    method_path: string;
    idempotency_key: string;
    request_hash: Buffer;
    response_status: number | null;
    response_headers: Json<Record<string, string> | null> | null;
    response_body: string | null;
    locked_at: Defaulted<Timestamp>;
    created_at: Defaulted<Timestamp>;
  };
  'tollgate.features': {
    project_id: string;
    code: string;
    name: string;
    type: 'boolean' | 'limit' | 'metered';
    aggregation: 'max' | 'sum';
    description: string | null;
    created_at: Defaulted<Timestamp>;
    updated_at: Defaulted<Timestamp>;
  };
  'tollgate.connections': {
    id: string;
    name: string | null;
    origin: 'environment' | 'stored';
    livemode: boolean;
    account_id: string | null;
    account_verified: Defaulted<boolean>;
    api_base: string | null;
    secret_key: string | null;
    secret_key_hint: string | null;
    webhook_endpoint_id: string | null;
    webhook_url: string | null;
    disabled_at: Timestamp | null;
    created_at: Timestamp;
    updated_at: Timestamp;
  };
  'tollgate.connection_webhook_secrets': {
    id: string;
    connection_id: string;
    secret: string;
    hint: string;
    expires_at: Timestamp | null;
    created_at: Timestamp;
  };
  'tollgate.products': {
    connection_id: Defaulted<string>;
    id: string;
    project_id: string;
    name: string;
    description: string | null;
    active: Defaulted<boolean>;
    deleted: Defaulted<boolean>;
    created_at: Defaulted<Timestamp>;
    updated_at: Defaulted<Timestamp>;
  };
  'tollgate.prices': {
    connection_id: Defaulted<string>;
    id: string;
    project_id: string;
    product_id: string;
    currency: string;
    unit_amount: Big | null;
    recurring_interval: string | null;
    recurring_interval_count: number | null;
    usage_type: string | null;
    nickname: string | null;
    lookup_key: string | null;
    active: Defaulted<boolean>;
    deleted: Defaulted<boolean>;
    created_at: Defaulted<Timestamp>;
    updated_at: Defaulted<Timestamp>;
  };
  'tollgate.mappings': {
    project_id: string;
    owner_type: 'product' | 'price';
    owner_id: string;
    code: string;
    value: Big | null;
    unlimited: Defaulted<boolean>;
    per_unit: Defaulted<boolean>;
    access_days: number | null;
  };
  'tollgate.customers': {
    id: string;
    project_id: string;
    external_id: string;
    email: string | null;
    name: string | null;
    connection_id: Defaulted<string>;
    stripe_customer_id: string | null;
    stripe_generation: Defaulted<number>;
    created_at: Defaulted<Timestamp>;
    updated_at: Defaulted<Timestamp>;
  };
  'tollgate.facts': {
    project_id: string;
    customer_id: string;
    kind: FactKind;
    object_id: string;
    sequence: Big;
    body: Json<Fact>;
    recorded_at: Timestamp;
  };
  'tollgate.fact_versions': {
    id: Generated<number>;
    project_id: string;
    customer_id: string;
    kind: FactKind;
    object_id: string;
    sequence: Big;
    body: Json<Fact>;
    cause: Json<Cause>;
    recorded_at: Timestamp;
  };
  'tollgate.object_sequences': {
    connection_id: string;
    object_id: string;
    issued: Big;
    applied: Big;
    applied_at: Timestamp | null;
    /** When Stripe was first seen to have deleted it; kept of Stripe customers alone. */
    deleted_at: Timestamp | null;
  };
  'tollgate.payments': {
    connection_id: string;
    id: string;
    project_id: string;
    customer_id: string;
    checkout_session_id: string | null;
    charge_id: string | null;
    invoice_id: string | null;
    subscription_id: string | null;
    created_at: Defaulted<Timestamp>;
    status: PurchaseFact['status'];
    currency: string;
    amount: Big;
    paid_at: Timestamp | null;
    period_start: Timestamp | null;
    period_end: Timestamp | null;
    lines: Json<SoldLine[]>;
  };
  'tollgate.refunds': MoneyBack & { status: string | null };
  'tollgate.disputes': MoneyBack & { status: string };
  'tollgate.snapshots': {
    project_id: string;
    external_id: string;
    customer_id: string;
    version: Big;
    body: Json<SnapshotBody>;
    recorded_at: Timestamp;
    /** How many notices there were about the customer. */
    notices: Defaulted<Big>;
    /** When time alone changes something next. */
    next_change_at: Timestamp | null;
  };
  'tollgate.snapshot_versions': {
    customer_id: string;
    version: Big;
    project_id: string;
    body: Json<SnapshotBody>;
    cause: Json<Cause>;
    changes: Json<unknown[]>;
    recorded_at: Timestamp;
  };
  'tollgate.grants': {
    id: string;
    project_id: string;
    customer_id: string;
    feature: string;
    effect: 'allow' | 'deny';
    value: Big | null;
    unlimited: Defaulted<boolean>;
    valid_from: Timestamp;
    valid_to: Timestamp | null;
    reason: string;
    actor: string;
    created_at: Timestamp;
    revoked_at: Timestamp | null;
    revoked_by: string | null;
    revoke_reason: string | null;
  };
  'tollgate.audit_entries': {
    position: Generated<number>;
    id: string;
    recorded_at: Timestamp;
    actor: string;
    key_id: string | null;
    action: string;
    project_id: string | null;
    customer_id: string | null;
    reason: string | null;
    request_id: string | null;
    detail: Json<Record<string, unknown>>;
    previous_hash: Buffer | null;
    hash: Buffer;
  };
  'tollgate.events': {
    connection_id: string;
    id: string;
    type: string;
    api_version: string | null;
    livemode: boolean;
    object_type: string | null;
    object_id: string | null;
    related_ids: Defaulted<string[]>;
    payload: Json<Record<string, unknown>>;
    status: 'received' | 'processed' | 'ignored' | 'parked' | 'failed' | 'dead';
    reason: string | null;
    attempts: Defaulted<number>;
    created_at: Timestamp;
    received_at: Timestamp;
    processed_at: Timestamp | null;
    last_attempt_at: Timestamp | null;
    next_attempt_at: Timestamp | null;
    source: Defaulted<'webhook' | 'listed'>;
  };
  'tollgate.checkout_sessions': {
    id: string;
    connection_id: Defaulted<string>;
    project_id: string;
    customer_id: string;
    mode: string;
    url: string | null;
    status: string;
    payment_status: string;
    price_ids: string[];
    applied: Defaulted<boolean>;
    expires_at: Timestamp;
    created_at: Timestamp;
    updated_at: Timestamp;
  };
  'tollgate.checkout_turns': { customer_id: string; holder: string; ends_at: Timestamp };
  'tollgate.portal_configurations': {
    project_id: string;
    configuration_id: string;
    fingerprint: string;
    updated_at: Timestamp;
  };
  'tollgate.trials': { customer_id: string; product_id: string; subscription_id: string; started_at: Timestamp };
  'tollgate.recomputations': {
    id: string;
    project_id: string;
    cause: Json<Cause>;
    status: 'queued' | 'running' | 'completed';
    total: number | null;
    done: Defaulted<number>;
    changed: Defaulted<number>;
    cursor: string | null;
    created_at: Timestamp;
    finished_at: Timestamp | null;
  };
  'tollgate.reconciliation_runs': {
    id: string;
    project_id: string | null;
    customer_id: string | null;
    dry_run: Defaulted<boolean>;
    status: 'queued' | 'running' | 'completed' | 'failed';
    trigger: 'manual' | 'schedule' | 'continuous';
    cursor: Json<Record<string, unknown> | null> | null;
    counts: Json<Record<string, number>>;
    error: string | null;
    created_at: Timestamp;
    started_at: Timestamp | null;
    heartbeat_at: Timestamp | null;
    finished_at: Timestamp | null;
    seen_since: Timestamp | null;
    expected: number | null;
    alert: Defaulted<boolean>;
  };
  'tollgate.drifts': {
    id: string;
    run_id: string;
    connection_id: Defaulted<string>;
    project_id: string | null;
    customer_id: string | null;
    kind: string;
    object_type: string;
    object_id: string;
    cause: string;
    action: string;
    detail: string | null;
    fields: Json<unknown[]>;
    detected_at: Timestamp;
    arose_at: Timestamp | null;
  };
  'tollgate.reconciliation_seen': {
    connection_id: string;
    object_type: string;
    object_id: string;
    seen_at: Defaulted<Timestamp>;
  };
  'tollgate.invoices_compared': { connection_id: string; until: Timestamp };
  'tollgate.events_listed': { connection_id: string; until: Timestamp };
  'tollgate.parked_objects': {
    id: string;
    connection_id: string;
    object_type: string;
    object_id: string;
    status: 'open' | 'attached' | 'resolved' | 'gone' | 'dismissed';
    reason: string;
    detail: Json<ParkedDetail>;
    candidates: Json<Candidate[]>;
    project_ids: Defaulted<string[]>;
    found_by: Json<Cause>;
    tries: Defaulted<number>;
    first_seen_at: Timestamp;
    last_tried_at: Timestamp;
    settled_at: Timestamp | null;
    resolution: string | null;
  };
  'tollgate.attachments': {
    connection_id: string;
    object_id: string;
    project_id: string;
    customer_id: string;
    reason: string;
    actor: string;
    created_at: Timestamp;
  };
  'tollgate.imports': {
    id: string;
    project_id: string;
    connection_id: string;
    dry_run: Defaulted<boolean>;
    status: 'queued' | 'running' | 'completed' | 'failed';
    request: Json<ImportRequest>;
    reason: string;
    actor: string;
    cursor: Json<{ step: string; after: string | null } | null> | null;
    counts: Json<Record<string, number>>;
    error: string | null;
    created_at: Timestamp;
    started_at: Timestamp | null;
    heartbeat_at: Timestamp | null;
    finished_at: Timestamp | null;
  };
  'tollgate.import_gains': { import_id: string; external_id: string; feature: string };
  'tollgate.import_parked': { import_id: string; object_type: string; object_id: string; reason: string };
  'tollgate.webhook_endpoints': {
    id: string;
    project_id: string;
    url: string;
    description: string | null;
    status: 'enabled' | 'disabled';
    disabled_reason: 'requested' | 'gone' | 'failing' | null;
    secrets: Json<{ sealed: string; expires_at: string | null }[]>;
    failing_since: Timestamp | null;
    retry_at: Timestamp | null;
    last_delivered_at: Timestamp | null;
    last_error: string | null;
    created_at: Timestamp;
    updated_at: Timestamp;
    deleted_at: Timestamp | null;
  };
  'tollgate.notices': {
    id: string;
    project_id: string;
    customer_id: string;
    sequence: Big;
    version: Big;
    changed_at: Timestamp;
    cause: Json<Cause | { type: 'time'; id: string }>;
    changes: Json<FeatureChange[]>;
  };
  'tollgate.notice_deliveries': {
    endpoint_id: string;
    notice_id: string;
    customer_id: string;
    sequence: Big;
    status: 'pending' | 'delivered';
    attempts: Defaulted<number>;
    next_attempt_at: Timestamp;
    last_attempt_at: Timestamp | null;
    response_status: number | null;
    error: string | null;
  };
}
