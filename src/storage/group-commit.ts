// Many requests share one fdatasync. A request is scanned into the open commit when it arrives, or, when many do, in one of the next
// turns of the event loop: tenants take turns, so one that sends a flood delays each request of another by one of its own. A commit is
// sealed when the one before it has ended, takes everything scanned by then, and ends when its blocks are on disk and published;
// only then are its requests answered. So commits grow by themselves under load, and without load nobody waits.
// A failed commit fails only its own requests, and none of their spans become visible. A request that meets a bug while it
// is scanned fails alone; a bug in shared state breaks the commit for good.
// Large requests are scanned and encoded in steps, in their own batches, while others go on.
// What came out of the log of -ingestLog carries its place in it. The place is written when the commit's blocks are on disk, and
// before they are published: a commit is both or neither.
import { setImmediate as turn } from 'node:timers/promises';
import { assert } from '../base/assert.ts';
import { isStoreError, StoreError } from '../base/errors.ts';
import { FairQueue } from '../base/fair-queue.ts';
import { collectIdle } from '../base/idle-memory.ts';
import { limits } from '../base/limits.ts';
import { encodeBlock } from '../block/encode-block.ts';
import { BatchNames, type TemplateNames } from '../block/read-names.ts';
import { regroupByTrace } from '../block/regroup.ts';
import { RequestScan, type ScanBounds } from '../otlp/scan-request.ts';
import { cutBlocks } from '../part/cut-blocks.ts';
import type { LogAppend } from '../partition/log-file.ts';
import { rowsByDay, SpanBatch } from '../trace/span-batch.ts';
import type { WriteResult } from '../trace/store.ts';
import type { Tenant } from '../trace/tenant.ts';
import { sumResults } from '../trace/write-result.ts';
import type { ConsumedPlace } from './consumed-offsets.ts';
import { checkDays, OpenBatches, scanStep, type ScanRules, type TenantBatch } from './open-batches.ts';

/** A request that takes longer to scan is scanned in steps of this length: 6 MiB of usual spans on one core. */
const STEP_MS = 20;
/** Requests are scanned for this long, then it is the turn of what else the thread has to do: the end of a write, questions. */
const SCAN_MS = 2;
/** Larger requests are scanned in steps from the start. */
const LARGE_BYTES: number = 8 << 20;
/** After this time without a request, the memory of batches is freed. */
const RELEASE_MS = 10_000;

/** Spans of one tenant: an ExportTraceServiceRequest. */
export interface TenantRequest {
  readonly tenant: Tenant;
  readonly body: Uint8Array;
  /** As WriteContext. */
  readonly retentionMs?: number | undefined;
  /** These spans are acknowledged already. */
  readonly isAccepted?: boolean | undefined;
  /** As CallContext. */
  readonly isCopied?: boolean | undefined;
}

export interface GroupCommitOptions {
  /** Starts writing a day's blocks. Throws StoreError if the write cannot begin. */
  readonly append: (day: number, blocks: readonly Uint8Array[]) => LogAppend;
  /** The bounds of the spans that are accepted now. */
  readonly acceptedSpans: (request: Pick<TenantRequest, 'retentionMs' | 'isAccepted' | 'isCopied'>) => ScanBounds;
  /** Throws the error for a request with spans of `days` if one of these days may not be written now. */
  readonly assertWritable?: (days: Iterable<number>) => void;
  /** Makes the places durable. Rejects with DISK. */
  readonly writePlaces?: (places: readonly ConsumedPlace[]) => Promise<void>;
  /** Called when a request met a bug while it was scanned; returns the error for its sender. */
  readonly onFailedRequest: (request: FailedRequest) => StoreError;
  /** Default STEP_MS. */
  readonly stepMs?: number;
}

export interface FailedRequest extends TenantRequest {
  readonly error: unknown;
}

/**
 * idle: no rows, nothing under way. filling: rows wait for a commit that starts in this turn of the event loop. sealing:
 * rows are made into blocks. writing: blocks are on their way to disk. During sealing and writing the next commit fills.
 */
type State = 'idle' | 'filling' | 'sealing' | 'writing' | 'broken';

const NEXT_STATES: Readonly<Record<State, readonly State[]>> = {
  idle: ['filling', 'broken'],
  filling: ['sealing', 'broken'],
  sealing: ['writing', 'broken'],
  writing: ['filling', 'idle', 'broken'],
  broken: [],
};

interface Request {
  /** At least one. */
  readonly requests: readonly TenantRequest[];
  readonly place: ConsumedPlace | undefined;
  readonly resolve: (result: WriteResult) => void;
  readonly reject: (error: unknown) => void;
}

/** Without the body, so that it can be freed. */
type Waiter = Pick<Request, 'resolve' | 'reject'> & {
  readonly result: WriteResult;
  readonly place?: ConsumedPlace | undefined;
};

/** Blocks of a day, and the templates in each. */
interface DayBlocks {
  readonly blocks: Uint8Array[];
  readonly names: TemplateNames[][];
}

export class GroupCommit {
  readonly #options: GroupCommitOptions;
  #state: State = 'idle';
  /** The open commit's rows. */
  readonly #batches = new OpenBatches();
  #waiters: Waiter[] = [];
  /** Requests that wait for the commit under way. */
  #committing: Waiter[] = [];
  /** Settles when the next commit has been answered. */
  #answered = Promise.withResolvers<void>();
  /** Requests that are not scanned yet; while the open commit is full, until it is sealed. */
  readonly #queue = new FairQueue<Request>();
  /** Requests that take more than one step; scanned one after the other. */
  readonly #largeQueue = new FairQueue<Request>();
  #large: Request | undefined;
  /** When the requests that are scanned in this turn of the event loop have had their time; undefined: none was scanned. */
  #turnEndMs: number | undefined;
  readonly #unanswered = new Set<Promise<WriteResult>>();
  #pendingBytes = 0;
  /** Set after a bug: nothing is accepted any more, and the process is about to end. */
  #broken: unknown;
  #release: NodeJS.Timeout | undefined;
  #commits = 0;
  #commitBytes = 0;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  get stats(): { commits: number; commitBytes: number; pendingRows: number } {
    let pendingRows = 0;
    for (const waiters of [this.#waiters, this.#committing]) {
      for (const { result } of waiters) pendingRows += result.stored;
    }
    return { commits: this.#commits, commitBytes: this.#commitBytes, pendingRows };
  }

  /** Bytes of unanswered requests. The callers of write() bound them. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** As SpanWriter.write. Throws INVALID_REQUEST, LIMIT_EXCEEDED, DISK, BUG. */
  async write(tenant: Tenant, body: Uint8Array, retentionMs?: number): Promise<WriteResult> {
    return await this.writeTogether([{ tenant, body, retentionMs }]);
  }

  /**
   * All of them, at least one, in one commit with `place`, if it is given; their results summed. If one of them fails, none is
   * stored. Throws as write.
   */
  async writeTogether(requests: readonly TenantRequest[], place?: ConsumedPlace): Promise<WriteResult> {
    const length = sumBytes(requests);
    this.#pendingBytes += length;
    const { promise, resolve, reject } = Promise.withResolvers<WriteResult>();
    this.#unanswered.add(promise);
    try {
      this.#accept({ requests, place, resolve, reject });
      return await promise;
    } finally {
      this.#unanswered.delete(promise);
      this.#pendingBytes -= length;
    }
  }

  /** Resolves when everything written before the call has been answered. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#unanswered);
  }

  /** Resolves when every request scanned before the call has been answered; does not wait for later ones. */
  async scannedAnswered(): Promise<void> {
    if (this.#state === 'idle' || this.#state === 'broken') return;
    await new Promise<void>((resolve) => {
      const answer = (): void => resolve();
      this.#waiters.push({ result: { stored: 0, rejected: new Map() }, resolve: answer, reject: answer });
    });
  }

  #accept(request: Request): void {
    if (this.#state === 'broken') return request.reject(this.#broken);
    this.#queue.push(tenantOf(request), request);
    this.#fill();
  }

  /** Whether the thread has scanned for long enough in this turn of the event loop; then it goes on in the next one. */
  #isTurnOver(): boolean {
    const nowMs = performance.now();
    if (this.#turnEndMs === undefined) {
      this.#turnEndMs = nowMs + SCAN_MS;
      setImmediate(() => {
        this.#turnEndMs = undefined;
        if (this.#state !== 'broken' && this.#queue.size > 0) this.#fill();
      });
    }
    return nowMs >= this.#turnEndMs;
  }

  /** Scans requests that wait, until this turn is over, the open commit is full or each of their tenants has its share of it. */
  #fill(): void {
    const mayScan = (tenant: string): boolean => !this.#batches.hasShare(tenant as Tenant);
    while (this.#queue.size > 0 && !this.#batches.isFull && !this.#isTurnOver()) {
      const request = this.#queue.take(mayScan);
      if (request === undefined) break;
      this.#scan(request);
    }
    if (this.#large === undefined && !this.#batches.isFull) void this.#scanLarge(this.#largeQueue.take());
    if (this.#state === 'idle' && this.#waiters.length > 0) {
      this.#enter('filling');
      // Deferred, so that all requests that arrive in this turn of the event loop join the same commit.
      setImmediate(() => void this.#run());
    }
    const isWaiting = this.#queue.size + this.#largeQueue.size > 0;
    const isUnderWay = this.#state !== 'idle' || this.#large !== undefined || this.#turnEndMs !== undefined;
    assert(!isWaiting || isUnderWay, 'requests wait and nothing is under way');
  }

  #scan(request: Request): void {
    const [first, ...others] = request.requests;
    const { tenant, body } = first!;
    // Only in batches of their own can several be given up together.
    const isSmall = others.length === 0 && body.length <= LARGE_BYTES;
    try {
      const result = isSmall ? this.#batches.scan(tenant, body, this.#rules(first!)) : undefined;
      if (result === undefined) this.#largeQueue.push(tenant, request);
      else this.#settle(request, result);
    } catch (error) {
      this.#refuse(request, first!, error);
    }
  }

  /** Between its steps, other requests are scanned and commits are written. */
  async #scanLarge(request: Request | undefined): Promise<void> {
    if (request === undefined) return;
    this.#large = request;
    const scanned: { readonly tenant: Tenant; readonly batch: SpanBatch; readonly result: WriteResult }[] = [];
    let one = request.requests[0]!;
    try {
      for (one of request.requests) scanned.push({ tenant: one.tenant, ...(await this.#scanInSteps(one)) });
      if (this.#state === 'broken') throw this.#broken;
      for (const { tenant, batch, result } of scanned) if (result.stored > 0) this.#batches.add(tenant, batch);
      this.#settle(request, sumResults(scanned.map(({ result }) => result)));
    } catch (error) {
      this.#refuse(request, one, error);
    }
    this.#large = undefined;
    if (this.#state !== 'broken') this.#fill();
  }

  async #scanInSteps(request: TenantRequest): Promise<{ readonly batch: SpanBatch; readonly result: WriteResult }> {
    const batch = new SpanBatch();
    batch.arena = new Uint8Array(0);
    const rules = this.#rules(request);
    const scan = new RequestScan(batch, request.body, rules.bounds);
    let result = scanStep(scan, rules.stepMs);
    for (; result === undefined; result = scanStep(scan, rules.stepMs)) await this.#yield();
    checkDays(scan, batch, 0, rules);
    return { batch, result };
  }

  /** Between two steps, the requests that wait for a commit are answered. */
  async #yield(): Promise<void> {
    await turn();
    if (this.#waiters.length + this.#committing.length > 0) await this.#answered.promise;
  }

  #rules(request: TenantRequest): ScanRules {
    const { acceptedSpans, assertWritable, stepMs = STEP_MS } = this.#options;
    return { bounds: acceptedSpans(request), assertWritable, stepMs };
  }

  /** A request without stored spans, and without a place, is answered at once: it need not wait for the disk. */
  #settle({ place, resolve, reject }: Request, result: WriteResult): void {
    if (result.stored === 0 && place === undefined) resolve(result);
    else this.#waiters.push({ resolve, reject, result, place });
  }

  /** Because of `one` of the request. */
  #refuse({ reject }: Request, one: TenantRequest, error: unknown): void {
    const isOwn = isStoreError(error) || error === this.#broken;
    reject(isOwn ? error : this.#options.onFailedRequest({ ...one, error }));
  }

  #enter(state: State): void {
    assert(NEXT_STATES[this.#state].includes(state), `a group commit went from ${this.#state} to ${state}`);
    this.#state = state;
  }

  async #run(): Promise<void> {
    clearTimeout(this.#release);
    try {
      for (;;) {
        const days = await this.#seal();
        const written = this.#write(days);
        // While the disk is at work.
        this.#fill();
        this.#answer(await written);
        if (this.#waiters.length === 0) break;
        this.#enter('filling');
      }
      this.#enter('idle');
      this.#fill();
      this.#release = setTimeout(() => this.#giveBack(), RELEASE_MS).unref();
    } catch (error) {
      this.#break(error);
    }
  }

  #giveBack(): void {
    this.#batches.release();
    collectIdle();
  }

  /** Encodes the open commit and opens the next one. */
  async #seal(): Promise<Map<number, DayBlocks>> {
    this.#enter('sealing');
    assert(this.#committing.length === 0, 'a commit was sealed before the last one was answered');
    this.#committing = this.#waiters;
    this.#waiters = [];
    const days = new Map<number, DayBlocks>();
    for (const each of this.#batches.open()) for (const encoded of encodeBlocks(each)) addBlock(days, encoded);
    const closed = this.#batches.takeClosed();
    this.#batches.clear();
    assert(this.#batches.isEmpty, 'rows stayed behind in a commit that was sealed');
    for (const each of closed) {
      for (const encoded of encodeBlocks(each)) {
        addBlock(days, encoded);
        await turn();
      }
    }
    return days;
  }

  #answer(failure: StoreError | undefined): void {
    for (const { resolve, reject, result } of this.#committing) {
      if (failure === undefined) resolve(result);
      else reject(failure);
    }
    this.#committing = [];
    this.#tellAnswered();
  }

  #tellAnswered(): void {
    this.#answered.resolve();
    this.#answered = Promise.withResolvers<void>();
  }

  /** All days or none: if one day's log fails, the writes of the others are cancelled too. Returns the failure, if any. */
  async #write(days: ReadonlyMap<number, DayBlocks>): Promise<StoreError | undefined> {
    this.#enter('writing');
    const appends: LogAppend[] = [];
    const failures: unknown[] = [];
    try {
      for (const [day, { blocks }] of days) appends.push(this.#options.append(day, blocks));
    } catch (error) {
      failures.push(error);
    }
    for (const outcome of await Promise.allSettled(appends.map((append) => append.synced))) {
      if (outcome.status === 'rejected') failures.push(outcome.reason);
    }
    if (failures.length === 0) await this.#writePlaces().catch((error: unknown) => failures.push(error));
    // A bug takes precedence over an error of the disk.
    for (const failure of failures) if (!(failure instanceof StoreError)) throw failure;
    if (failures.length > 0) {
      for (const append of appends) append.cancel();
      return failures[0] as StoreError;
    }
    const written = [...days.values()];
    appends.forEach((append, i) => append.publish(written[i]!.names));
    this.#commits++;
    for (const { blocks } of written) for (const block of blocks) this.#commitBytes += block.length;
    return undefined;
  }

  async #writePlaces(): Promise<void> {
    const places = this.#committing.flatMap(({ place }) => (place === undefined ? [] : [place]));
    if (places.length > 0) await this.#options.writePlaces?.(places);
  }

  /** Rejects all waiting and later requests with the bug. */
  #break(error: unknown): void {
    this.#enter('broken');
    this.#broken = error;
    for (const { reject } of [...this.#committing, ...this.#waiters]) reject(error);
    this.#committing = [];
    this.#waiters = [];
    this.#tellAnswered();
    for (const queue of [this.#queue, this.#largeQueue]) {
      for (let request = queue.take(); request !== undefined; request = queue.take()) request.reject(error);
    }
  }
}

function sumBytes(requests: readonly TenantRequest[]): number {
  return requests.reduce((sum, { body }) => sum + body.length, 0);
}

/** Whose turn it is. */
function tenantOf({ requests }: Request): Tenant {
  return requests[0]!.tenant;
}

interface EncodedBlock {
  readonly day: number;
  readonly block: Uint8Array;
  readonly names: TemplateNames[];
}

function addBlock(days: Map<number, DayBlocks>, { day, block, names }: EncodedBlock): void {
  let of = days.get(day);
  if (of === undefined) days.set(day, (of = { blocks: [], names: [] }));
  of.blocks.push(block);
  of.names.push(names);
}

const namesOfBatches = new WeakMap<SpanBatch, BatchNames>();

/** A log block may be as large as a commit: it is short-lived, and one block is cheaper to write than many. */
function* encodeBlocks({ tenant, batch }: TenantBatch): Generator<EncodedBlock> {
  let known = namesOfBatches.get(batch);
  if (known === undefined) namesOfBatches.set(batch, (known = new BatchNames(batch)));
  const readNames = known;
  for (const [day, rows] of rowsByDay(batch)) {
    const regrouped = regroupByTrace(batch, rows);
    let start = 0;
    for (const end of cutBlocks(regrouped.traceEnds, limits.commitRowsMax)) {
      const names: TemplateNames[] = [];
      const onTemplates = (section: number, templates: Int32Array): void => {
        for (const template of templates) names.push(readNames.of(section, template));
      };
      const options = { tenant, day, profile: 'log', onTemplates } as const;
      yield { day, block: encodeBlock(batch, regrouped.rows.subarray(start, end), options), names };
      start = end;
    }
  }
}
