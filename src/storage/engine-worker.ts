// The engine thread: hosts the one Storage of the process and answers the main thread's messages. A StoreError is sent as a
// reply. A bug ends the thread, and with it the process: after a bug, data on disk is safer than state in memory.
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { assert } from '../base/assert.ts';
import { systemClock } from '../base/clock.ts';
import { isStoreError } from '../base/errors.ts';
import { createLogger } from '../base/logger.ts';
import { LOOK_MS, Pulse, PulseWatch } from '../base/pulse.ts';
import { startMeter } from '../base/thread-meter.ts';
import { freeBytes } from '../bytes/free-bytes.ts';
import { writeLastWords } from '../disk/last-words.ts';
import { takeLock } from '../disk/lock.ts';
import { nodeDisk } from '../disk/node-disk.ts';
import { pulsingDisk } from '../disk/pulsing-disk.ts';
import { ownThreadId, waitsForDisk } from '../disk/thread-state.ts';
import { openForgetChannel } from '../partition/forget-channel.ts';
import { performCall, type EngineArgs } from './engine-calls.ts';
import type { EngineOptions, EngineReply, EngineRequest } from './engine-messages.ts';
import type { FinishedWork } from './maintenance.ts';
import { createMergePool } from './merge-pool.ts';
import { Storage } from './storage.ts';

function serve(port: MessagePort, options: EngineOptions): void {
  const pulse = new Pulse(options.enginePulse);
  pulse.start(ownThreadId());
  startMeter(options.engineMeter);
  watchMain(options);
  const post = (reply: EngineReply): void => port.postMessage(reply);
  const storage = tryOpen(options, pulse, post);
  if (storage === undefined) return;
  port.on('message', (request: EngineRequest) => void answer(storage, request, post));
  storage.startMaintenance();
  post({ kind: 'opened', report: storage.report });
}

/** A hanging main thread ignores requests and signals, so this thread kills the process; a supervisor can start it again. */
function watchMain({ mainPulse, patience, logLevel: level, logFormat: format }: EngineOptions): void {
  const watch = new PulseWatch(mainPulse, patience, waitsForDisk);
  // Not through stderr as usual: the main thread, which hangs, would have to write it.
  const logger = createLogger({ level, format, write: writeLastWords });
  setInterval(() => {
    if (!watch.look()) return;
    logger.error('the main thread hangs, the process ends', { seconds: watch.silentLooks });
    process.kill(process.pid, 'SIGKILL');
  }, LOOK_MS).unref();
}

function tryOpen(options: EngineOptions, pulse: Pulse, post: (reply: EngineReply) => void): Storage | undefined {
  const mergeRunner = createMergePool(options.mergeWorkers, {
    memoryBytes: options.mergeBytes,
    meter: options.mergeMeter,
  });
  try {
    const logger = createLogger({ level: options.logLevel, format: options.logFormat });
    return Storage.open({
      ...options,
      ...(options.tellsWork === true && { onWork: (work: FinishedWork) => post({ kind: 'worked', work }) }),
      disk: pulsingDisk(nodeDisk, pulse),
      clock: systemClock,
      logger,
      mergeRunner,
      forget: openForgetChannel(),
      takeLock,
    });
  } catch (error) {
    if (!isStoreError(error)) throw error;
    post({ kind: 'notOpened', code: error.code, message: error.message });
    return undefined;
  }
}

async function answer(storage: Storage, request: EngineRequest, post: (reply: EngineReply) => void): Promise<void> {
  const { id } = request;
  try {
    post({ kind: 'done', id, result: await performCall(storage, request) });
  } catch (error) {
    if (!isStoreError(error)) throw error;
    post({ kind: 'failed', id, code: error.code, message: error.message });
  } finally {
    // The bodies were transferred to this thread, which has copied them into columns.
    if (request.name === 'write') freeBytes((request.args as EngineArgs['write'])[1]);
    if (request.name === 'consume') for (const { body } of (request.args as EngineArgs['consume'])[0]) freeBytes(body);
  }
}

assert(parentPort !== null, 'engine-worker.ts runs as a worker only');
serve(parentPort, workerData as EngineOptions);
