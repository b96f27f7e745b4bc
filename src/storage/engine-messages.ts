// Messages between the main thread and the engine thread. Each request has a number, and its reply has the same number. A
// StoreError is sent as data with its code; a bug ends the engine thread instead.
import type { Patience, SharedPulse } from '../base/pulse.ts';
import type { StoreErrorCode } from '../base/errors.ts';
import type { SharedMeter } from '../base/thread-meter.ts';
import type { LogFormat, LogLevel } from '../base/logger.ts';
import type { NameBounds } from '../index/names.ts';
import type { EngineArgs, EngineCallName, EngineResults } from './engine-calls.ts';
import type { FinishedWork } from './maintenance.ts';
import type { OpenReport } from './partition-set.ts';

export interface EngineOptions {
  /** The data directory. */
  readonly path: string;
  readonly retentionMs: number;
  readonly futureRetentionMs: number;
  readonly spanAttributesMax: number;
  readonly spanBytesMax: number;
  readonly freeDiskBytesMin: number;
  readonly isReadOnly?: boolean;
  readonly diskBytesMax: number;
  readonly diskPercentMax: number;
  readonly flushIntervalMs: number;
  readonly snapshotsMaxAgeMs: number;
  readonly clockJumpGraceMs: number;
  readonly mergeWorkers: number;
  /** Memory limit of one merge, and of one flush. */
  readonly mergeBytes: number;
  readonly tenantsMax: number;
  readonly keepFailedRequests: boolean;
  /** The engine thread beats on enginePulse and watches the main thread's. */
  readonly enginePulse: SharedPulse;
  readonly mainPulse: SharedPulse;
  /** The engine thread measures itself here, and its threads for flushes and merges there. */
  readonly engineMeter: SharedMeter;
  readonly mergeMeter: SharedMeter;
  readonly patience: Patience;
  readonly nameBounds?: NameBounds | undefined;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** Sends `worked` for each flush and merge. */
  readonly tellsWork?: boolean;
}

export interface EngineRequest {
  readonly id: number;
  readonly name: EngineCallName;
  readonly args: EngineArgs[EngineCallName];
}

export type EngineReply =
  | { readonly kind: 'opened'; readonly report: OpenReport }
  | { readonly kind: 'notOpened'; readonly code: StoreErrorCode; readonly message: string }
  | { readonly kind: 'worked'; readonly work: FinishedWork }
  | { readonly kind: 'done'; readonly id: number; readonly result: EngineResults[EngineCallName] }
  | { readonly kind: 'failed'; readonly id: number; readonly code: StoreErrorCode; readonly message: string };
