// The world's failures, typed. Each code is listed in docs/ERRORS.md with its HTTP and gRPC status; a test compares.

export const STORE_ERROR_CODES = [
  'INVALID_REQUEST', // the client sent something malformed: 400, INVALID_ARGUMENT
  'UNAUTHENTICATED', // no credential, or one that is not valid: 401, UNAUTHENTICATED
  'FORBIDDEN', // who asks is known and may not: 403, PERMISSION_DENIED
  'UNSUPPORTED_TYPE', // media type or content encoding we do not speak: 415, UNIMPLEMENTED
  'LIMIT_EXCEEDED', // a body, a message or an answer above its bound: 413, RESOURCE_EXHAUSTED without RetryInfo
  'OVERLOADED', // a queue is full: 429 + Retry-After, RESOURCE_EXHAUSTED + RetryInfo
  'TENANT_LIMIT', // a tenant sends or stores more than -tenants.config allows: 429 + Retry-After, RESOURCE_EXHAUSTED + RetryInfo
  'READ_ONLY', // the disk is too full to accept data: 429 + Retry-After, RESOURCE_EXHAUSTED + RetryInfo
  'BUSY', // no turn came in time, and nothing was begun: 503 + Retry-After, UNAVAILABLE + RetryInfo
  'UNAVAILABLE', // starting, closing, or storage failed: 503 + Retry-After, UNAVAILABLE + RetryInfo
  'NOT_FOUND', // at the API only: 404, NOT_FOUND
  'DISABLED', // a flag switches this part of the API off, or it is not served here: 501, UNIMPLEMENTED
  'TIMEOUT', // a query passed its deadline or budget: 503, DEADLINE_EXCEEDED
  'CANCELLED', // the client went away: 499, CANCELLED
  'CORRUPTION', // bytes on disk failed their checksum, do not parse, or are gone: 500, INTERNAL
  'FORMAT_TOO_NEW', // a file was written by a newer version: 500, INTERNAL
  'WORKER_FAILED', // the thread of a merge ran out of memory or met a bug: 500, INTERNAL
  'DISK', // the operating system refused a disk call: 503 + Retry-After, UNAVAILABLE + RetryInfo
  'BUG', // a request met a bug of ours, and it alone: 500, INTERNAL
  'CONFIG', // a flag is unknown or malformed: the process says so and exits with 2
  'LOCKED', // another process owns the data directory: the process says so and exits with 1
] as const;

export type StoreErrorCode = (typeof STORE_ERROR_CODES)[number];

/** A failure of the world, not of this program. `message` says what, where and what to do. */
export class StoreError extends Error {
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'StoreError';
    this.code = code;
  }
}

/** True when `error` is a StoreError carrying `code`. */
export function isStoreError(error: unknown, code?: StoreErrorCode): error is StoreError {
  return error instanceof StoreError && (code === undefined || error.code === code);
}
