// Sockets and storage share one budget of file descriptors of the process. Storage gets the most it may need first,
// because a flush that cannot open a file is worse than a closed connection; the listeners share the rest.
import { StoreError } from './errors.ts';
import type { Logger } from './logger.ts';

/** Connections each listener may have at once. */
export interface ConnectionCaps {
  readonly http: number;
  readonly otlpHttp: number;
  readonly otlpGrpc: number;
  readonly grpc: number;
}

/** More do not help: each costs memory (some 100 KB with gRPC), and the bytes they send are bounded elsewhere. */
export const CONNECTIONS_USEFUL: ConnectionCaps = { http: 4_096, otlpHttp: 2_048, otlpGrpc: 1_024, grpc: 1_024 };
/** A node with fewer refuses to start. */
const CONNECTIONS_MIN: ConnectionCaps = { http: 32, otlpHttp: 16, otlpGrpc: 16, grpc: 16 };

/** Node's own, the lock, log files of the last days, one snapshot and one archived trace at a time, some spare. */
const BASE_DESCRIPTORS = 192;
/** An LMDB environment holds three; limits.indexesOpenMax are open at once, plus one for a moment. */
const INDEX_DESCRIPTORS = 100;
/** A thread's message ports and event loop. */
const THREAD_DESCRIPTORS = 5;
/** Parts a query thread keeps open (64), three files each, and the log files of one query. */
const QUERY_DESCRIPTORS = 256;
/** Inputs of a merge (16), two files each, and its output files; a flush has fewer. */
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

/** How many descriptors this process may have open; Infinity if the system sets no limit. */
export function descriptorLimit(): number {
  // At startup Node has raised the soft limit to the hard one.
  const { userLimits } = process.report.getReport() as unknown as Partial<UserLimits>;
  const soft = userLimits?.open_files.soft;
  return typeof soft === 'number' ? soft : Infinity;
}

interface UserLimits {
  readonly userLimits: { readonly open_files: { readonly soft: number | 'unlimited' } };
}

/** The listeners' shares of `limit` descriptors minus those for `storage`. Throws CONFIG when too few are left. */
export function shareDescriptors(limit: number, storage: number): ConnectionCaps {
  const free = limit - storage;
  const share = (useful: number, part: number): number => Math.min(useful, Math.floor(free * part));
  const caps = {
    http: share(CONNECTIONS_USEFUL.http, 2 / 5),
    otlpHttp: share(CONNECTIONS_USEFUL.otlpHttp, 1 / 5),
    otlpGrpc: share(CONNECTIONS_USEFUL.otlpGrpc, 1 / 5),
    grpc: share(CONNECTIONS_USEFUL.grpc, 1 / 5),
  };
  if (caps.http >= CONNECTIONS_MIN.http && caps.grpc >= CONNECTIONS_MIN.grpc) return caps;
  const needed = Object.values(CONNECTIONS_MIN).reduce((sum, connections) => sum + connections, storage);
  throw new StoreError(
    'CONFIG',
    `this process may open ${limit} files and sockets, with these flags it needs ${needed} at least: ` +
      'raise the hard limit (ulimit -Hn, LimitNOFILE= of systemd, --ulimit nofile= of Docker)',
  );
}

/** The connections that each listener of this process may have; few are logged. Throws CONFIG if it may open too few files. */
export function shareConnections(threads: StorageThreads, logger: Logger): ConnectionCaps {
  const limit = descriptorLimit();
  const caps = shareDescriptors(limit, storageDescriptors(threads));
  if (caps.http < CONNECTIONS_USEFUL.http) {
    const what = 'few file descriptors: the listeners take fewer connections; raise the hard limit of open files';
    logger.warn(what, { limit, ...caps });
  }
  return caps;
}
