// File descriptors are one budget of the process, shared by sockets and storage: a flush that cannot open a file is worse
// than a connection that is closed. What storage needs at most is set aside first, the listeners share what is left.
import { StoreError } from './errors.ts';

/** Connections each listener may have at once. */
export interface ConnectionCaps {
  readonly http: number;
  readonly otlpGrpc: number;
  readonly grpc: number;
}

/** More are of no use: each costs memory (some 100 KB with gRPC), and what they send is bounded elsewhere. */
export const CONNECTIONS_USEFUL: ConnectionCaps = { http: 4_096, otlpGrpc: 1_024, grpc: 1_024 };
/** With fewer a node is not worth starting. */
const CONNECTIONS_MIN: ConnectionCaps = { http: 32, otlpGrpc: 16, grpc: 16 };

/** Node's own, the lock, the log files of the last days, a snapshot and an archived trace at a time, and some to spare. */
const BASE_DESCRIPTORS = 192;
/** An LMDB environment holds three; so many are open at once (limits.indexesOpenMax), and one for a moment. */
const INDEX_DESCRIPTORS = 100;
/** Its message ports and event loop. */
const THREAD_DESCRIPTORS = 5;
/** Parts a query thread keeps open (64), three files each, and the log files of one query. */
const QUERY_DESCRIPTORS = 256;
/** Inputs of a merge (16), two files each, and what it writes; a flush has fewer. */
const MERGE_DESCRIPTORS = 48;

/** How many descriptors the store and the threads may need at once. */
export function storageDescriptors({ queryWorkers, mergeWorkers }: StorageThreads): number {
  const queries = queryWorkers * (THREAD_DESCRIPTORS + QUERY_DESCRIPTORS);
  // One flush beside the merges, and the threads of the engine and of large bodies.
  const merges = (mergeWorkers + 1) * (THREAD_DESCRIPTORS + MERGE_DESCRIPTORS) + 4 * THREAD_DESCRIPTORS;
  return BASE_DESCRIPTORS + INDEX_DESCRIPTORS + queries + merges;
}

export interface StorageThreads {
  readonly queryWorkers: number;
  readonly mergeWorkers: number;
}

/** How many descriptors this process may have open; Infinity where the system sets no limit. */
export function descriptorLimit(): number {
  // Node has raised the soft limit to the hard one when it started.
  const { userLimits } = process.report.getReport() as unknown as Partial<UserLimits>;
  const soft = userLimits?.open_files.soft;
  return typeof soft === 'number' ? soft : Infinity;
}

interface UserLimits {
  readonly userLimits: { readonly open_files: { readonly soft: number | 'unlimited' } };
}

/** The listeners' shares of `limit` descriptors, of which `storage` are set aside. Throws CONFIG when too few are left. */
export function shareDescriptors(limit: number, storage: number): ConnectionCaps {
  const free = limit - storage;
  const share = (useful: number, part: number): number => Math.min(useful, Math.floor(free * part));
  const caps = {
    http: share(CONNECTIONS_USEFUL.http, 1 / 2),
    otlpGrpc: share(CONNECTIONS_USEFUL.otlpGrpc, 1 / 4),
    grpc: share(CONNECTIONS_USEFUL.grpc, 1 / 4),
  };
  if (caps.http >= CONNECTIONS_MIN.http && caps.grpc >= CONNECTIONS_MIN.grpc) return caps;
  const needed = storage + CONNECTIONS_MIN.http + CONNECTIONS_MIN.otlpGrpc + CONNECTIONS_MIN.grpc;
  throw new StoreError(
    'CONFIG',
    `this process may open ${limit} files and sockets, with these flags it needs ${needed} at least: ` +
      'raise the hard limit (ulimit -Hn, LimitNOFILE= of systemd, --ulimit nofile= of Docker)',
  );
}
