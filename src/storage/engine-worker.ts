// The engine thread: hosts the one Storage of the process and answers the main thread's messages. Errors of the world
// go back as replies; a bug is left to end the thread, and with it the process: what is on disk is safer than what we
// think.
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { assert } from '../base/assert.ts';
import { systemClock } from '../base/clock.ts';
import { isStoreError } from '../base/errors.ts';
import { createLogger } from '../base/logger.ts';
import { takeLock } from '../disk/lock.ts';
import { nodeDisk } from '../disk/node-disk.ts';
import type { EngineCall, EngineOptions, EngineReply, EngineRequest, EngineResults } from './engine-messages.ts';
import { createMergePool } from './merge-pool.ts';
import { Storage } from './storage.ts';

function serve(port: MessagePort, options: EngineOptions): void {
  const post = (reply: EngineReply): void => port.postMessage(reply);
  const storage = tryOpen(options, post);
  if (storage === undefined) return;
  port.on('message', (request: EngineRequest) => void answer(storage, request, post));
  storage.startMaintenance();
  post({ kind: 'opened', report: storage.report });
}

function tryOpen(options: EngineOptions, post: (reply: EngineReply) => void): Storage | undefined {
  const mergeRunner = createMergePool(options.mergeWorkers);
  try {
    const logger = createLogger({ level: options.logLevel, format: options.logFormat });
    return Storage.open({ ...options, disk: nodeDisk, clock: systemClock, logger, mergeRunner, takeLock });
  } catch (error) {
    if (!isStoreError(error)) throw error;
    post({ kind: 'notOpened', code: error.code, message: error.message });
    return undefined;
  }
}

async function answer(storage: Storage, request: EngineRequest, post: (reply: EngineReply) => void): Promise<void> {
  const { id, call } = request;
  try {
    post({ kind: 'done', id, result: await perform(storage, call) });
  } catch (error) {
    if (!isStoreError(error)) throw error;
    post({ kind: 'failed', id, code: error.code, message: error.message });
  }
}

async function perform(storage: Storage, call: EngineCall): Promise<EngineResults[keyof EngineResults]> {
  switch (call.kind) {
    case 'write':
      return storage.write(call.tenant, call.body);
    case 'listServices':
      return storage.listServices(call.tenant);
    case 'listOperations':
      return storage.listOperations(call.tenant, call.service, call.operationKind);
    case 'takeView':
      return storage.takeView(call.tenant, call.filter);
    case 'releaseView':
      return storage.releaseView(call.viewId);
    case 'reportDamage':
      return storage.reportDamage(call.places);
    case 'forceFlush':
      return storage.forceFlush();
    case 'forceMerge':
      return storage.forceMerge(call.partitionPrefix);
    case 'purge':
      return storage.purge();
    case 'listPartitions':
      return storage.listPartitions();
    case 'detachPartition':
      return storage.detachPartition(call.name);
    case 'attachPartition':
      return storage.attachPartition(call.name);
    case 'createSnapshots':
      return storage.createSnapshots(call.partitionPrefix);
    case 'listSnapshots':
      return storage.listSnapshots();
    case 'deleteSnapshot':
      return storage.deleteSnapshot(call.path);
    case 'stats':
      return storage.stats();
    case 'close':
      return storage.close(call.flushMaxMs);
  }
}

assert(parentPort !== null, 'engine-worker.ts runs as a worker only');
serve(parentPort, workerData as EngineOptions);
