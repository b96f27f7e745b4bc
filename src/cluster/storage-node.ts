// One storage node as the other roles see it: where it is, what it is called, whether it answers. It is asked for its name every
// second; that is also how it counts as up or down, so that nobody waits for a node that does not answer.
import { setTimeout as delay } from 'node:timers/promises';
import { assert } from '../base/assert.ts';
import type { CallContext } from '../trace/call-context.ts';
import { deadlineAfter } from '../trace/call-context.ts';
import { isStoreError, StoreError, type StoreErrorCode } from '../base/errors.ts';
import { DEFAULT_TENANT } from '../trace/tenant.ts';
import { GrpcCaller, NoAnswer, type GrpcCallerOptions } from './grpc-caller.ts';
import type { LogPlace, NodeDescription } from './protocol.ts';
import { RemoteStore } from './remote-store.ts';

const PROBE_INTERVAL_MS = 1_000;
const PROBE_TIMEOUT_MS = 3_000;
/** Between questions for the sake of requests: each that fails costs a connection, on the thread that all requests share. */
const BACK_PAUSE_MS = 100;
/** Questions in a row without an answer until the node counts as down. A refused connection counts at once. */
const SILENT_MAX = 2;
/** What -storageNode.name takes, and the host names of others. */
const NAME = /^[\w.:-]{1,300}$/;
/** Longer than a question takes. */
const RETIRED_MS = 120_000;
/** How long a node that refused spans gets no further ones. */
const FULL_MS = 1_000;

export interface StorageNodeOptions extends GrpcCallerOptions {
  /** Called when the name, or whether it is up, has changed; and when a node that was never up does not answer at first. */
  readonly onChange: (node: StorageNode) => void;
  readonly answerBytesMax?: number;
  readonly probeTimeoutMs?: number;
  /** That of this process: a node that has it behind it would ask in a circle. */
  readonly ownInstance?: string | undefined;
}

export class StorageNode {
  readonly address: string;
  /** Calls to it, and calls on another connection. */
  readonly store: RemoteStore;
  readonly repeat: RemoteStore;
  readonly #options: StorageNodeOptions;
  readonly #caller: GrpcCaller;
  readonly #timer: NodeJS.Timeout;
  #description: NodeDescription = {};
  #isUp = false;
  /** Somebody was told that it is down, for a reason of this code. */
  #reported: StoreErrorCode | undefined;
  #reason = 'it was not reached yet';
  #silent = 0;
  /** The last question took so long without an answer that nobody should wait for the next one. */
  #isSlow = false;
  #fullUntilMs = 0;
  #down = new AbortController();
  #probing: Promise<void> | undefined;
  #probedMs = -Infinity;
  /** The next question for the sake of requests, which has not begun. */
  #asking: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: StorageNodeOptions) {
    this.#options = options;
    this.address = options.address;
    this.#caller = new GrpcCaller(options);
    const { answerBytesMax } = options;
    const shared = { caller: this.#caller, ...(answerBytesMax === undefined ? {} : { answerBytesMax }) };
    this.store = new RemoteStore(shared);
    this.repeat = new RemoteStore({ ...shared, isRepeat: true });
    this.#timer = setInterval(() => void this.probe(), PROBE_INTERVAL_MS);
  }

  /** undefined until it has answered once. */
  get name(): string | undefined {
    return this.#description.name;
  }

  /** undefined until it has answered once; another one with each start of its process. */
  get instance(): string | undefined {
    return this.#description.instance;
  }

  /** The processes behind it that ask other nodes, and itself if it is one. */
  get behind(): readonly string[] {
    return this.#description.behind ?? [];
  }

  /** The process that asks, under one of its addresses. */
  get isSelf(): boolean {
    return this.instance !== undefined && this.instance === this.#options.ownInstance;
  }

  /** For people and for Missing. */
  get shownName(): string {
    return this.name ?? this.address;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Which part of the log it consumes; undefined: none, or it has not answered yet. */
  get log(): LogPlace | undefined {
    return this.#description.log;
  }

  get isReadOnly(): boolean {
    return this.#description.isReadOnly ?? false;
  }

  /** Why it is not up. */
  get reason(): string {
    return this.#reason;
  }

  /** It takes spans now, as far as is known. */
  get isOpen(): boolean {
    return this.#isUp && !this.isReadOnly && performance.now() >= this.#fullUntilMs;
  }

  /** Fires when it goes down: nobody should wait for it any longer. */
  get downSignal(): AbortSignal {
    return this.#down.signal;
  }

  /** It refused spans for a reason that passes. */
  markFull(): void {
    this.#fullUntilMs = performance.now() + FULL_MS;
  }

  /** Asks for its description. Resolves when it has answered, or has not within the time for it. */
  probe(): Promise<void> {
    this.#probing ??= this.#probe().finally(() => {
      this.#probing = undefined;
      this.#probedMs = performance.now();
    });
    return this.#probing;
  }

  /**
   * For who has no other node: whether it answers now, though it was down when it was asked last. Such a question to a process that is not
   * there fails at once; a node that kept it waiting is not asked. All who come before the question begins share it.
   */
  async isBack(): Promise<boolean> {
    if (this.#mayBeBack) await (this.#asking ??= this.#askAgain());
    return this.#isUp;
  }

  get #mayBeBack(): boolean {
    return !this.#isUp && !this.#isSlow && !this.#isClosed;
  }

  async #askAgain(): Promise<void> {
    await delay(Math.max(0, this.#probedMs + BACK_PAUSE_MS - performance.now()));
    try {
      // One that is under way may have failed just before the node was back.
      await this.#probing;
    } finally {
      this.#asking = undefined;
    }
    if (this.#mayBeBack) await this.probe();
  }

  async #probe(): Promise<void> {
    const timeoutMs = this.#options.probeTimeoutMs ?? PROBE_TIMEOUT_MS;
    const startMs = performance.now();
    const call: CallContext = { tenant: DEFAULT_TENANT, deadlineNs: deadlineAfter(timeoutMs) };
    try {
      const description = await this.store.describe(call);
      if (this.#isClosed) return;
      const wasNamed = this.name;
      this.#checkName(description);
      this.#description = description;
      this.#silent = 0;
      this.#isSlow = false;
      this.#checkCircle();
      if (this.#isUp && wasNamed === this.name) return;
      if (!this.#isUp) this.#down = new AbortController();
      assert(!this.#down.signal.aborted, 'a node that is up tells its callers that it is down');
      this.#reported = undefined;
      this.#isUp = true;
      this.#fullUntilMs = 0;
      this.#options.onChange(this);
    } catch (error) {
      if (this.#isClosed) return;
      if (!isStoreError(error)) throw error;
      this.#isSlow = performance.now() - startMs > timeoutMs / 2;
      this.#fail(error);
    }
  }

  /** A name stands in metrics, headers and logs, and decides where spans go. */
  #checkName({ name = '' }: NodeDescription): void {
    if (NAME.test(name)) return;
    const shown = JSON.stringify(name.slice(0, 80));
    throw new StoreError('UNAVAILABLE', `${this.address} is no storage node: it calls itself ${shown}`);
  }

  /** Both ends of a circle find it, and stay down until the lists are repaired. */
  #checkCircle(): void {
    const { ownInstance } = this.#options;
    if (ownInstance === undefined || !this.behind.includes(ownInstance)) return;
    const what = this.isSelf ? 'this process lists itself' : `${this.shownName} asks this process, which asks it`;
    throw new StoreError('CONFIG', `${what}: take ${this.address} out of -storageNode`);
  }

  #fail(error: StoreError): void {
    this.#silent++;
    // A node that says it is not ready, or refuses the connection, is known not to serve.
    const isCertain = !(error instanceof NoAnswer) || error.isUnsent;
    if (!isCertain && this.#silent < SILENT_MAX) return;
    // The machine at the other end of the connection may be gone without a word, and another one in its place.
    if (error instanceof NoAnswer) this.#caller.connectAnew();
    this.#reason = error.message;
    if (!this.#isUp && this.#reported === error.code) return;
    this.#reported = error.code;
    this.#isUp = false;
    this.#down.abort();
    assert(!this.isOpen, 'a node that is down takes spans');
    this.#options.onChange(this);
  }

  /** It is not listed any more. Questions that have chosen it are still asked and answered. */
  retire(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    setTimeout(() => this.close(), RETIRED_MS).unref();
  }

  /** Ends calls under way. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#down.abort();
    this.#caller.close();
  }
}
