// The SpanWriter of an insert node: checks a request, cuts it by trace, and sends each slice to the first node of its ranking that
// takes it (placement.ts). Acknowledged when every slice is. It keeps nothing: what no node takes is refused, and the sender
// has it still.
import { randomUUID } from 'node:crypto';
import { isStoreError, StoreError, type StoreErrorCode } from '../base/errors.ts';
import { freeBytes, freeWhenSent } from '../bytes/free-bytes.ts';
import { leftMs, type CallContext } from '../trace/call-context.ts';
import type { SpanWriter, StartWindow, WriteContext, WriteResult } from '../trace/store.ts';
import { TRACE_ID_BYTES } from '../trace/ids.ts';
import { sumResults } from '../trace/write-result.ts';
import { settlesWithin } from './ask-nodes.ts';
import { cutRequest } from './cut-request.ts';
import { NoAnswer } from './grpc-caller.ts';
import { NodeQueue, type Slice } from './node-queue.ts';
import { RequestCheck } from './request-check.ts';
import type { StorageNode } from './storage-node.ts';
import type { StorageNodes } from './storage-nodes.ts';

/** The request's own faults, or its tenant's: every node would refuse it for them, and no other tenant's spans. */
const FINAL: ReadonlySet<StoreErrorCode> = new Set<StoreErrorCode>([
  'INVALID_REQUEST',
  'UNSUPPORTED_TYPE',
  'LIMIT_EXCEEDED',
  'TENANT_LIMIT',
  'BUG',
]);
/** The node has stored nothing of the slice. */
const NOT_STORED: ReadonlySet<StoreErrorCode> = new Set<StoreErrorCode>([
  'OVERLOADED',
  'BUSY',
  'READ_ONLY',
  'DISABLED',
  'UNAUTHENTICATED',
  'FORBIDDEN',
]);

/** A request, or a slice of one. Its strays are those of its sender, or of an earlier attempt. */
interface Spans extends Slice {
  /** Who waits for it, and how long. */
  readonly sender: CallContext;
  /** When they start. */
  readonly starts: StartWindow;
  /** Names of nodes that did not take the slice. */
  readonly tried: ReadonlySet<string>;
}

export interface ClusterWriterOptions {
  readonly nodes: Pick<StorageNodes, 'all' | 'placement' | 'nodeAt'>;
  /** -storageNode.writeTimeout */
  readonly timeoutMs: number;
}

/** Counted since the start. */
export interface WriterCounters {
  /** Slices that another node took than the first of their ranking, because that one refused or did not answer. */
  rerouted: number;
  /** Of these: slices that the node which did not answer may have stored. They are shown once. */
  possiblyTwice: number;
  /** Slices that no node took. */
  refused: number;
}

export class ClusterWriter implements SpanWriter {
  readonly counters: WriterCounters = { rerouted: 0, possiblyTwice: 0, refused: 0 };
  readonly #options: ClusterWriterOptions;
  readonly #check = new RequestCheck();
  readonly #queues = new Map<StorageNode, NodeQueue>();

  constructor(options: ClusterWriterOptions) {
    this.#options = options;
  }

  get queues(): Iterable<NodeQueue> {
    return this.#queues.values();
  }

  /**
   * As SpanWriter.write; a key is passed on to the nodes. `body` is freed when its spans are acknowledged. Throws UNAVAILABLE, too, if
   * the nodes' results do not account for every span.
   */
  async write(call: WriteContext, body: Uint8Array, key: string = randomUUID()): Promise<WriteResult> {
    const { result: checked, starts } = await this.#check.check(body);
    if (checked.stored === 0) return checked;
    const { tenant, strays } = call;
    const results = await this.#send({ sender: call, tenant, strays, body, key, starts, tried: new Set() });
    freeBytes(body);
    const sum = sumResults(results);
    const [sent, answered] = [countOf(checked), countOf(sum)];
    if (answered !== sent) {
      const text = `storage nodes account for ${answered} spans of ${sent}; send them again`;
      throw new StoreError('UNAVAILABLE', text);
    }
    // Of the whole request: a node names places in its slice.
    return checked.unknownField === undefined ? sum : { ...sum, unknownField: checked.unknownField };
  }

  async #send(spans: Spans): Promise<readonly WriteResult[]> {
    const { sender, tried } = spans;
    const { nodes, timeoutMs } = this.#options;
    // One may be back since it was asked last.
    if (!nodes.all.some(({ isOpen, shownName }) => isOpen && !tried.has(shownName))) {
      const asked = Promise.all(nodes.all.map((node) => node.isBack()));
      await settlesWithin(asked, Math.min(leftMs(sender), timeoutMs), sender.signal);
    }
    const slices = this.#cut(spans);
    const sent = slices.map(({ node, ...slice }) => this.#sendSlice(node, { ...spans, ...slice }));
    const bodies = slices.map(({ body }) => body);
    return (await freeWhenSent(sent, bodies, spans.body)).flat();
  }

  /**
   * Spans by the first node of their ranking that may take them. Those for which it is not the first of all are strays, in a slice
   * of their own. Throws UNAVAILABLE.
   */
  #cut({ body, key, tried, strays, starts }: Spans): (Omit<Slice, 'tenant'> & { readonly node: StorageNode })[] {
    const { nodes } = this.#options;
    const { placement } = nodes;
    const isOpen = Uint8Array.from(placement.names, (name, i) => (nodes.nodeAt(i).isOpen && !tried.has(name) ? 1 : 0));
    const fallback = isOpen.indexOf(1);
    if (fallback < 0) {
      this.counters.refused++;
      throw this.#refusal();
    }
    const isListed = new Uint8Array(isOpen.length).fill(1);
    const areAllOpen = !isOpen.includes(0);
    const slices = cutRequest(body, (bytes, start, end) => {
      // A span without a valid id is rejected by whichever node gets it.
      if (end - start !== TRACE_ID_BYTES) return fallback;
      const index = placement.first(bytes, start, isOpen);
      const isStray = !areAllOpen && index !== placement.first(bytes, start, isListed);
      return isStray ? isOpen.length + index : index;
    });
    return [...slices].map(([index, slice]) => {
      const node = nodes.nodeAt(index % isOpen.length);
      if (index < isOpen.length) return { node, body: slice, key, strays };
      // The node may get others of its spans under the key of the request.
      return { node, body: slice, key: randomUUID(), strays: starts };
    });
  }

  #refusal(): StoreError {
    const states = this.#options.nodes.all.map((node) => {
      const state = node.isUp ? (node.isReadOnly ? 'read-only' : 'full or not answering') : node.reason;
      return `${node.shownName}: ${state}`;
    });
    const shown = states.length === 0 ? 'none is known (-storageNode)' : states.join('; ').slice(0, 1_000);
    return new StoreError('UNAVAILABLE', `no storage node takes the spans (${shown}); send them again`);
  }

  async #sendSlice(node: StorageNode, slice: Spans): Promise<readonly WriteResult[]> {
    try {
      const { tenant, body, key, strays } = slice;
      return [await this.#queueOf(node).write({ tenant, body, key, strays })];
    } catch (error) {
      if (!isStoreError(error) || FINAL.has(error.code)) throw error;
      this.counters.rerouted++;
      const isRefused = NOT_STORED.has(error.code);
      // Its connection was replaced, or it is gone, which the question that the queue asks it then finds.
      const isNotReached = error instanceof NoAnswer && error.isUnsent && node.isUp;
      // One that did not answer in time, too: further requests would wait for it as long.
      if (isRefused || (error instanceof NoAnswer && !isNotReached)) node.markFull();
      if (!isRefused && !(error instanceof NoAnswer && error.isUnsent)) this.counters.possiblyTwice++;
      // Another node may have a slice under the key already.
      return await this.#send({ ...slice, key: randomUUID(), tried: new Set([...slice.tried, node.shownName]) });
    }
  }

  #queueOf(node: StorageNode): NodeQueue {
    let queue = this.#queues.get(node);
    if (queue === undefined) {
      this.#forgetQueues();
      queue = new NodeQueue(node, this.#options.timeoutMs);
      this.#queues.set(node, queue);
    }
    return queue;
  }

  /** Those of nodes that are no longer listed. */
  #forgetQueues(): void {
    const listed = new Set(this.#options.nodes.all);
    for (const [node, { waitingBytes }] of this.#queues)
      if (!listed.has(node) && waitingBytes === 0) this.#queues.delete(node);
  }
}

/** All spans of a result, stored or not. */
function countOf({ stored, rejected }: WriteResult): number {
  let count = stored;
  for (const spans of rejected.values()) count += spans;
  return count;
}
