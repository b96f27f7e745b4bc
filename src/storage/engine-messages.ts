// What crosses between the main thread and the engine thread. Every request carries a number, every reply the number of
// its request; errors of the world go as data with their code, a bug ends the engine thread instead.
import type { Patience, SharedPulse } from '../base/pulse.ts';
import type { StoreErrorCode } from '../base/errors.ts';
import type { LogFormat, LogLevel } from '../base/logger.ts';
import type { DamagedPlace } from '../part/quarantine.ts';
import type { ViewFilter } from '../partition/view.ts';
import type { Listed, Operation, StoreStats, WriteResult } from '../trace/store.ts';
import type { Tenant } from '../trace/tenant.ts';
import type { OpenReport } from './partition-set.ts';
import type { StoreView } from './views.ts';

/** What the engine thread is started with. */
export interface EngineOptions {
  /** The data directory. */
  readonly path: string;
  readonly retentionMs: number;
  readonly futureRetentionMs: number;
  readonly spanAttributesMax: number;
  readonly spanBytesMax: number;
  readonly freeDiskBytesMin: number;
  readonly diskBytesMax: number;
  readonly diskPercentMax: number;
  readonly flushIntervalMs: number;
  readonly snapshotsMaxAgeMs: number;
  readonly clockJumpGraceMs: number;
  readonly mergeWorkers: number;
  readonly keepFailedRequests: boolean;
  /** The engine beats on its own and looks at the main thread's. */
  readonly enginePulse: SharedPulse;
  readonly mainPulse: SharedPulse;
  readonly patience: Patience;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

export type EngineCall =
  | { readonly kind: 'write'; readonly tenant: Tenant; readonly body: Uint8Array }
  | { readonly kind: 'listServices'; readonly tenant: Tenant }
  | {
      readonly kind: 'listOperations';
      readonly tenant: Tenant;
      readonly service: string;
      readonly operationKind: number | undefined;
    }
  | { readonly kind: 'takeView'; readonly tenant: Tenant; readonly filter: ViewFilter }
  | { readonly kind: 'releaseView'; readonly viewId: number }
  | { readonly kind: 'reportDamage'; readonly places: readonly DamagedPlace[] }
  | { readonly kind: 'forceFlush' }
  | { readonly kind: 'forceMerge'; readonly partitionPrefix: string }
  | { readonly kind: 'purge' }
  | { readonly kind: 'listPartitions' }
  | { readonly kind: 'detachPartition'; readonly name: string }
  | { readonly kind: 'attachPartition'; readonly name: string }
  | { readonly kind: 'createSnapshots'; readonly partitionPrefix: string }
  | { readonly kind: 'listSnapshots' }
  | { readonly kind: 'deleteSnapshot'; readonly path: string }
  | { readonly kind: 'stats' }
  | { readonly kind: 'close'; readonly flushMaxMs: number | undefined };

/** What each call answers. */
export interface EngineResults {
  write: WriteResult;
  listServices: Listed<string>;
  listOperations: Listed<Operation>;
  takeView: StoreView;
  releaseView: void;
  reportDamage: void;
  forceFlush: void;
  forceMerge: void;
  purge: void;
  listPartitions: string[];
  detachPartition: void;
  attachPartition: void;
  createSnapshots: string[];
  listSnapshots: string[];
  deleteSnapshot: void;
  stats: StoreStats;
  close: void;
}

export interface EngineRequest {
  readonly id: number;
  readonly call: EngineCall;
}

export type EngineReply =
  | { readonly kind: 'opened'; readonly report: OpenReport }
  | { readonly kind: 'notOpened'; readonly code: StoreErrorCode; readonly message: string }
  | { readonly kind: 'done'; readonly id: number; readonly result: EngineResults[keyof EngineResults] }
  | { readonly kind: 'failed'; readonly id: number; readonly code: StoreErrorCode; readonly message: string };
