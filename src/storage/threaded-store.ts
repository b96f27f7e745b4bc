// The store as the main thread sees it: every call is a message to the engine thread and a promise. The main thread only
// receives request bodies and passes them on; a body that owns its whole buffer is transferred, not copied.
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { assert } from '../base/assert.ts';
import { workerThread, type DiagnosedThread } from '../base/diagnosed-thread.ts';
import { StoreError } from '../base/errors.ts';
import { LOOK_MS, Pulse, PulseWatch } from '../base/pulse.ts';
import { newMeter, type SharedMeter } from '../base/thread-meter.ts';
import { waitsForDisk } from '../disk/thread-state.ts';
import type { SpanWriter } from '../trace/store.ts';
import { engineMethods } from './engine-calls.ts';
import type { EngineArgs, EngineCallName, EngineMethods, EngineResults } from './engine-calls.ts';
import type { EngineOptions, EngineReply, EngineRequest } from './engine-messages.ts';
import type { FinishedWork } from './maintenance.ts';
import type { OpenReport } from './partition-set.ts';

export interface ThreadedStoreOptions extends Omit<EngineOptions, 'enginePulse' | 'engineMeter' | 'mergeMeter'> {
  /** The engine thread died of `error`: nothing can be stored or read, so the process should end. Called once. */
  readonly onFatal: (error: Error) => void;
  /** The engine thread hangs, or died silently: the process should be killed, because an exit would wait for the thread. */
  readonly onSilent: (seconds: number) => void;
}

/** After this many checks without a beat of the engine, the store counts as not answering. */
const ANSWERING_LOOKS_MAX = 4;

/** Starts the engine thread and opens the store. Rejects with LOCKED, DISK, FORMAT_TOO_NEW. */
export async function openThreadedStore(options: ThreadedStoreOptions): Promise<ThreadedStore> {
  const { onFatal, onSilent, ...given } = options;
  const enginePulse = new Pulse().shared;
  const meters = { engine: newMeter(), merge: newMeter() };
  const engineOptions = { ...given, enginePulse, engineMeter: meters.engine, mergeMeter: meters.merge };
  const url = new URL(`./engine-worker${extname(import.meta.filename)}`, import.meta.url);
  const worker = new Worker(url, { workerData: engineOptions satisfies EngineOptions, name: 'tracelith-engine' });
  const watch = new PulseWatch(enginePulse, options.patience, waitsForDisk);
  const looking = setInterval(() => watch.look() && onSilent(watch.silentLooks), LOOK_MS);
  worker.once('exit', () => clearInterval(looking));
  const report = await opened(worker);
  const thread = new EngineThread(worker, { path: options.path, report, watch, meters, onFatal });
  const methods = engineMethods((name, args) => thread.call(name, args));
  const write: SpanWriter['write'] = async ({ tenant, retentionMs, strays, isCopied }, body, key) => {
    const owned = owning(body);
    return await thread.call('write', [tenant, owned, key, { retentionMs, strays, isCopied }], [owned.buffer]);
  };
  const consume: EngineMethods['consume'] = async (requests, place) => {
    const owned = requests.map(({ body, ...request }) => ({ ...request, body: owning(body) }));
    return await thread.call(
      'consume',
      [owned, place],
      owned.map(({ body }) => body.buffer),
    );
  };
  return Object.assign(thread, { ...methods, write, consume, close: (flushMaxMs?: number) => thread.stop(flushMaxMs) });
}

interface Pending {
  readonly resolve: (result: EngineResults[EngineCallName]) => void;
  readonly reject: (error: Error) => void;
}

/** The store on its thread: every call of the table, and the state of the thread. */
export type ThreadedStore = EngineThread & Omit<EngineMethods, 'write'> & SpanWriter;

class EngineThread {
  /** What opening found and did. */
  readonly report: OpenReport;
  /** How the engine thread and those for flushes and merges feel, written by themselves. */
  readonly meters: Readonly<Record<'engine' | 'merge', SharedMeter>>;
  /** Called for each flush and merge, with EngineOptions.tellsWork. */
  onWork: (work: FinishedWork) => void = () => undefined;
  readonly #worker: Worker;
  readonly #path: string;
  readonly #watch: PulseWatch;
  readonly #onFatal: (error: Error) => void;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #isClosing = false;
  /** Why no call is possible any more. */
  #ended: StoreError | undefined;

  /** Called by openThreadedStore only. */
  constructor(
    worker: Worker,
    options: {
      path: string;
      report: OpenReport;
      watch: PulseWatch;
      meters: EngineThread['meters'];
      onFatal: (error: Error) => void;
    },
  ) {
    this.#worker = worker;
    this.#path = options.path;
    this.report = options.report;
    this.meters = options.meters;
    this.#watch = options.watch;
    this.#onFatal = options.onFatal;
    worker.on('message', (reply: EngineReply) => this.#settle(reply));
    worker.on('error', (error) => this.#end(error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', (code) => this.#end(new Error(`the engine thread exited with code ${code}`)));
  }

  /** False if the engine thread hangs or has ended. */
  get isAnswering(): boolean {
    return this.#ended === undefined && this.#watch.silentLooks < ANSWERING_LOOKS_MAX;
  }

  /** For profiles of the engine thread. */
  get diagnosed(): DiagnosedThread {
    return workerThread(this.#worker);
  }

  /** As Storage.close, then ends the thread. Calls made meanwhile fail with UNAVAILABLE. */
  async stop(flushMaxMs?: number): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    if (this.#ended === undefined) await this.call('close', [flushMaxMs]);
    await this.#worker.terminate();
  }

  /** Sends one call to the engine and returns its result; the buffers in `transfer`, which belong to `args`, move there. */
  call<K extends EngineCallName>(
    name: K,
    args: EngineArgs[K],
    transfer: ArrayBuffer[] = [],
  ): Promise<EngineResults[K]> {
    return new Promise<EngineResults[EngineCallName]>((resolve, reject) => {
      if (this.#ended !== undefined) throw this.#ended;
      const request: EngineRequest = { id: this.#nextId++, name, args };
      this.#pending.set(request.id, { resolve, reject });
      this.#worker.postMessage(request, transfer);
    }) as Promise<EngineResults[K]>;
  }

  #settle(reply: EngineReply): void {
    if (reply.kind === 'worked') return this.onWork(reply.work);
    assert(reply.kind === 'done' || reply.kind === 'failed', `the engine sent ${reply.kind} after opening`);
    // A message that the thread sent before it died: its callers were already rejected.
    if (this.#ended !== undefined) return;
    const pending = this.#pending.get(reply.id);
    assert(pending !== undefined, 'the engine answered a request that was not made');
    this.#pending.delete(reply.id);
    if (reply.kind === 'done') pending.resolve(reply.result);
    else pending.reject(new StoreError(reply.code, reply.message));
  }

  /** The thread has ended; after close() this is expected. */
  #end(cause: Error): void {
    if (this.#ended !== undefined) return;
    this.#ended = new StoreError('UNAVAILABLE', `${this.#path}: the store has ended; retry later`, { cause });
    for (const { reject } of this.#pending.values()) reject(this.#ended);
    this.#pending.clear();
    if (!this.#isClosing) this.#onFatal(cause);
  }
}

/** The first message: whether the store could be opened. */
async function opened(worker: Worker): Promise<OpenReport> {
  const { promise, resolve, reject } = Promise.withResolvers<EngineReply>();
  const onExit = (code: number): void => reject(new Error(`the engine thread exited with code ${code} while opening`));
  worker.once('message', resolve).once('error', reject).once('exit', onExit);
  try {
    const reply = await promise;
    if (reply.kind === 'opened') return reply.report;
    await worker.terminate();
    assert(reply.kind === 'notOpened', `the engine began with ${reply.kind}`);
    throw new StoreError(reply.code, reply.message);
  } finally {
    worker.off('message', resolve).off('error', reject).off('exit', onExit);
  }
}

/** `body` itself if it is its whole buffer, so that the buffer can be transferred; otherwise a copy. */
function owning(body: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = body;
  const isWhole = buffer instanceof ArrayBuffer && body.byteOffset === 0 && body.byteLength === buffer.byteLength;
  return isWhole ? (body as Uint8Array<ArrayBuffer>) : new Uint8Array(body);
}
