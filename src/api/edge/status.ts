// One table: the status of each failure over HTTP and over gRPC, and whether the sender should retry. OTLP exporters drop
// data on 400, 413, 500 and INTERNAL, and retry on 429, 503, UNAVAILABLE and (only with RetryInfo) RESOURCE_EXHAUSTED, so
// every temporary failure must use one of the latter.
import { status as grpc } from '@grpc/grpc-js';
import { isStoreError, StoreError, type StoreErrorCode } from '../../base/errors.ts';

export interface FailureStatus {
  readonly http: number;
  /** gRPC status code. */
  readonly grpc: number;
  /** Set when a retry can succeed: Retry-After over HTTP, RetryInfo over gRPC. */
  readonly retrySeconds: number | undefined;
}

/** A queue drains within a group commit or two. */
const QUEUE_RETRY_SECONDS = 1;
/** A start takes about this long. */
const START_RETRY_SECONDS = 2;
/** A tenant may use five seconds of its rates at once (tenant-limits.ts). */
const TENANT_RETRY_SECONDS = 2;
/** A full disk needs retention or a person. Not longer: exporters give up at once if the delay exceeds their 10 s timeout. */
const DISK_RETRY_SECONDS = 5;

function failure(http: number, grpcCode: number, retrySeconds?: number): FailureStatus {
  return Object.freeze({ http, grpc: grpcCode, retrySeconds });
}

export const FAILURE_STATUS: Readonly<Record<StoreErrorCode, FailureStatus>> = {
  INVALID_REQUEST: failure(400, grpc.INVALID_ARGUMENT),
  UNAUTHENTICATED: failure(401, grpc.UNAUTHENTICATED),
  FORBIDDEN: failure(403, grpc.PERMISSION_DENIED),
  UNSUPPORTED_TYPE: failure(415, grpc.UNIMPLEMENTED),
  LIMIT_EXCEEDED: failure(413, grpc.RESOURCE_EXHAUSTED),
  OVERLOADED: failure(429, grpc.RESOURCE_EXHAUSTED, QUEUE_RETRY_SECONDS),
  TENANT_LIMIT: failure(429, grpc.RESOURCE_EXHAUSTED, TENANT_RETRY_SECONDS),
  READ_ONLY: failure(429, grpc.RESOURCE_EXHAUSTED, DISK_RETRY_SECONDS),
  BUSY: failure(503, grpc.UNAVAILABLE, START_RETRY_SECONDS),
  UNAVAILABLE: failure(503, grpc.UNAVAILABLE, START_RETRY_SECONDS),
  NOT_FOUND: failure(404, grpc.NOT_FOUND),
  DISABLED: failure(501, grpc.UNIMPLEMENTED),
  TIMEOUT: failure(503, grpc.DEADLINE_EXCEEDED),
  CANCELLED: failure(499, grpc.CANCELLED),
  CORRUPTION: failure(500, grpc.INTERNAL),
  FORMAT_TOO_NEW: failure(500, grpc.INTERNAL),
  WORKER_FAILED: failure(500, grpc.INTERNAL),
  DISK: failure(503, grpc.UNAVAILABLE, DISK_RETRY_SECONDS),
  BUG: failure(500, grpc.INTERNAL),
  // These fail a starting process, not a request: only a bug brings them here.
  CONFIG: failure(500, grpc.INTERNAL),
  LOCKED: failure(500, grpc.INTERNAL),
};

const BUG = failure(500, grpc.INTERNAL);

/** The status of anything caught at the top of a request; anything but a StoreError is our bug. */
export function statusOf(error: unknown): FailureStatus {
  return isStoreError(error) ? FAILURE_STATUS[error.code] : BUG;
}

/** The message that a client may read. A bug's message stays in our log, because it may contain anything. */
export function messageOf(error: unknown): string {
  return isStoreError(error) ? error.message : 'internal error; the log of the server says more';
}

/** `warnings` name where the trace may have been. The first are in the message: over gRPC an error has no other place for them. */
export function traceNotFound(warnings: readonly string[] = []): StoreError {
  const lacks = warnings.slice(0, 3).join('; ');
  const more = warnings.length > 3 ? `; ${warnings.length - 3} more` : '';
  return new StoreError(
    'NOT_FOUND',
    lacks === '' ? 'trace not found' : `trace not found; it may be in what is damaged or lost: ${lacks}${more}`,
  );
}

/** The error before the store is open and while it closes. */
export function notReady(): StoreError {
  return new StoreError('UNAVAILABLE', 'the server is starting or closing; try again');
}
