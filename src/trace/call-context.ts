// What every call of the ports carries, whatever it asks for. Plain data and a signal: an edge (HTTP, gRPC) makes it once for
// each request, and each implementation of a port passes it on.
import type { Principal } from './principal.ts';
import type { Tenant } from './tenant.ts';

export interface CallContext {
  /** Whose data. */
  readonly tenant: Tenant;
  /** Whose data if it is that of several, `tenant` among them (cluster/tenants-reader.ts). */
  readonly tenants?: readonly Tenant[] | undefined;
  /** Who asks. Edges set it; ports pass it on and decide nothing by it. */
  readonly principal?: Pick<Principal, 'name'> | undefined;
  /** Fires when nobody waits for the answer any more: no further work is needed. */
  readonly signal?: AbortSignal | undefined;
  /**
   * When the caller stops waiting, on the monotonic clock that all threads of the process share (process.hrtime.bigint).
   * The callee's own limits apply as well.
   */
  readonly deadlineNs?: bigint | undefined;
  /** An answer without the nodes that cannot be reached will do (Marked.missing). Absent: as the reader is set. */
  readonly allowsPartial?: boolean | undefined;
  /** The spans are copied from another node that has them (`tracelith sync`). */
  readonly isCopied?: boolean | undefined;
  /** Between nodes: answer when the log is stored up to these offsets, by partition. */
  readonly logOffsets?: ReadonlyMap<number, bigint> | undefined;
}

/** The context's part about tenants, of which there is at least one. */
export function ofTenants(tenants: readonly Tenant[]): Pick<CallContext, 'tenant' | 'tenants'> {
  return { tenant: tenants[0]!, tenants: tenants.length > 1 ? tenants : undefined };
}

/** The deadline `ms` from now; undefined if that is never. */
export function deadlineAfter(ms: number): bigint | undefined {
  return Number.isFinite(ms) ? process.hrtime.bigint() + BigInt(Math.max(0, Math.round(ms * 1e6))) : undefined;
}

/** Milliseconds until the call's deadline, at least 0; Infinity without one. */
export function leftMs({ deadlineNs }: CallContext): number {
  return deadlineNs === undefined ? Infinity : Math.max(0, Number(deadlineNs - process.hrtime.bigint()) / 1e6);
}
