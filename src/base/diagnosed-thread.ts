// Profiles of a running thread, in the formats that Chrome's developer tools open. Sampling costs the thread some percent while
// it lasts; nothing is stopped, unlike by a snapshot of the heap, which takes seconds and as much memory again.
import { Session } from 'node:inspector/promises';
import { getHeapStatistics, type HeapInfo } from 'node:v8';
import type { Worker } from 'node:worker_threads';

export interface RunningProfile {
  /** Ends it; the profile as JSON. */
  stop(): Promise<string>;
}

export interface DiagnosedThread {
  /** Where its time goes: .cpuprofile. */
  startCpuProfile(): Promise<RunningProfile>;
  /** Where its memory is allocated: .heapprofile. */
  startHeapProfile(): Promise<RunningProfile>;
  heapStatistics(): Promise<HeapInfo>;
}

/** The calling thread. */
export function ownThread(): DiagnosedThread {
  return {
    startCpuProfile: async () => {
      const session = connect();
      await session.post('Profiler.enable');
      await session.post('Profiler.start');
      return ending(session, async () => (await session.post('Profiler.stop')).profile);
    },
    startHeapProfile: async () => {
      const session = connect();
      await session.post('HeapProfiler.startSampling');
      return ending(session, async () => (await session.post('HeapProfiler.stopSampling')).profile);
    },
    heapStatistics: async () => getHeapStatistics(),
  };
}

/** A thread that the calling one has started. */
export function workerThread(worker: Worker): DiagnosedThread {
  return {
    startCpuProfile: () => worker.startCpuProfile(),
    startHeapProfile: () => worker.startHeapProfile(),
    heapStatistics: () => worker.getHeapStatistics(),
  };
}

function connect(): Session {
  const session = new Session();
  session.connect();
  return session;
}

function ending(session: Session, stop: () => Promise<object>): RunningProfile {
  return {
    stop: async () => {
      try {
        return JSON.stringify(await stop());
      } finally {
        session.disconnect();
      }
    },
  };
}
