// The slices on their way to one storage node. Those that arrive while calls are under way go together in the next one, so small
// requests of many senders cost one call; without load nobody waits. A call that got no answer is made once more, on another
// connection and under the same keys; then its slices fail, and their owner takes them elsewhere.
import { assert } from '../base/assert.ts';
import { isStoreError, StoreError, STORE_ERROR_CODES, type StoreErrorCode } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import { deadlineAfter, type CallContext } from '../trace/call-context.ts';
import type { WriteContext, WriteResult } from '../trace/store.ts';
import { DEFAULT_TENANT } from '../trace/tenant.ts';
import { NoAnswer } from './grpc-caller.ts';
import { writeResultOf, type SliceResultMessage } from './protocol.ts';
import type { RemoteStore } from './remote-store.ts';
import type { StorageNode } from './storage-node.ts';

/** Calls to one node at once: one is on the wire while the node commits another. */
const CALLS_MAX = 4;
/** Bytes of slices that wait for one node; a node that is that far behind counts as full. */
const WAITING_BYTES_MAX: number = 32 << 20;
/** Slices of one call. */
const SLICES_MAX = 1_000;
/** Bytes of one call, with room for keys and tenants below limits.forwardBytesMax. */
const CALL_BYTES_MAX: number = limits.forwardBytesMax >> 1;

/** What one node gets of a request. */
export interface Slice extends Pick<WriteContext, 'tenant' | 'strays'> {
  readonly body: Uint8Array;
  /** A node gets one slice under it. */
  readonly key: string;
}

interface Waiting {
  readonly slice: Slice;
  readonly resolve: (result: WriteResult) => void;
  readonly reject: (error: unknown) => void;
}

export interface QueueCounters {
  calls: number;
  slices: number;
  bytes: number;
  repeated: number;
  failed: number;
}

export class NodeQueue {
  readonly node: StorageNode;
  readonly counters: QueueCounters = { calls: 0, slices: 0, bytes: 0, repeated: 0, failed: 0 };
  readonly #timeoutMs: number;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #calls = 0;

  /** `timeoutMs`: how long one call may take. */
  constructor(node: StorageNode, timeoutMs: number) {
    this.node = node;
    this.#timeoutMs = timeoutMs;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Throws OVERLOADED if too much waits already; what the node says; NoAnswer. */
  write(slice: Slice): Promise<WriteResult> {
    const { body } = slice;
    if (this.#waitingBytes > 0 && this.#waitingBytes + body.length > WAITING_BYTES_MAX) {
      const text = `${this.#waitingBytes} bytes wait for storage node ${this.node.shownName}; try again`;
      return Promise.reject(new StoreError('OVERLOADED', text));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ slice, resolve, reject });
      this.#waitingBytes += body.length;
      this.#next();
    });
  }

  #next(): void {
    while (this.#calls < CALLS_MAX && this.#waiting.length > 0) {
      const slices = this.#take();
      this.#calls++;
      void this.#send(slices).finally(() => {
        this.#calls--;
        assert(this.#calls >= 0 && this.#calls < CALLS_MAX, `${this.#calls} calls to ${this.node.shownName}`);
        this.#next();
      });
    }
  }

  #take(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { slice } of this.#waiting) {
      const { body } = slice;
      if (count > 0 && (bytes + body.length > CALL_BYTES_MAX || count === SLICES_MAX)) break;
      bytes += body.length;
      count++;
    }
    const taken = this.#waiting.splice(0, count);
    this.#waitingBytes -= bytes;
    assert(this.#waitingBytes >= 0, `${this.#waitingBytes} bytes wait for ${this.node.shownName}`);
    assert(this.#waiting.length > 0 || this.#waitingBytes === 0, 'bytes wait in an empty queue');
    return taken;
  }

  async #send(slices: readonly Waiting[]): Promise<void> {
    const { node, counters } = this;
    try {
      const results = await this.#attempt(slices);
      assert(results.length === slices.length, `${results.length} results for ${slices.length} slices`);
      counters.slices += slices.length;
      for (const { slice } of slices) counters.bytes += slice.body.length;
      slices.forEach(({ resolve, reject }, i) => {
        const result = results[i]!;
        if (result instanceof StoreError) reject(result);
        else resolve(result);
      });
    } catch (error) {
      counters.failed++;
      const shown = isStoreError(error) ? await this.#whyOf(error) : error;
      for (const { reject } of slices) reject(shown);
      if (error instanceof NoAnswer) void node.probe();
    }
  }

  async #attempt(slices: readonly Waiting[]): Promise<readonly (WriteResult | StoreError)[]> {
    const { node, counters } = this;
    if (!node.isUp) throw new NoAnswer(node.reason, true, undefined);
    counters.calls++;
    try {
      return await writeOnce(node.store, slices, this.#call());
    } catch (error) {
      if (!(error instanceof NoAnswer) || !node.isUp) throw error;
      counters.calls++;
      counters.repeated++;
      try {
        return await writeOnce(node.repeat, slices, this.#call());
      } catch (again) {
        // The first attempt may have arrived, whatever became of the second.
        throw again instanceof NoAnswer ? new NoAnswer(again.message, again.isUnsent && error.isUnsent, again) : again;
      }
    }
  }

  /** A call that was ended because the node went down got no answer, though it may have arrived. */
  async #whyOf(error: StoreError): Promise<StoreError> {
    const { downSignal, reason } = this.node;
    return downSignal.aborted && error.code === 'CANCELLED' ? new NoAnswer(reason, false, error) : error;
  }

  /** Each slice names its tenant; that of the call owns the bytes while they are received. */
  #call(): Omit<CallContext, 'tenant'> {
    return { signal: this.node.downSignal, deadlineNs: deadlineAfter(this.#timeoutMs) };
  }
}

async function writeOnce(
  store: RemoteStore,
  slices: readonly Waiting[],
  call: Omit<CallContext, 'tenant'>,
): Promise<readonly (WriteResult | StoreError)[]> {
  const [first] = slices;
  if (slices.length === 1) {
    const { body, key, ...context } = first!.slice;
    return [await store.write({ ...call, ...context }, body, key)];
  }
  const messages = slices.map(({ slice }) => slice);
  const tenants = new Set(messages.map(({ tenant }) => tenant));
  const tenant = tenants.size === 1 ? first!.slice.tenant : DEFAULT_TENANT;
  return (await store.writeSlices({ ...call, tenant }, messages)).map(resultOf);
}

function resultOf(result: SliceResultMessage): WriteResult | StoreError {
  const { code = '', message = '' } = result;
  if (code === '') return writeResultOf(result);
  const known: StoreErrorCode = STORE_ERROR_CODES.find((each) => each === code) ?? 'UNAVAILABLE';
  return new StoreError(known, message);
}
