// kill -9 under load, round after round on one growing data directory. A round loads the node with concurrent senders, kills
// it at a random moment, starts it again and compares what is there with what was acknowledged. What was never answered is
// sent again, as a real exporter would, and must then be there once. The seed fixes traffic and kill times; what the node
// has answered by then is up to the machine.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { Rng } from '../../native-bench/workload/rng.ts';
import { forEachOf, KeepAliveClient } from './keep-alive-client.ts';
import * as checks from './kill-checks.ts';
import { Load } from './kill-load.ts';
import { KillTally, readReadyLine } from './kill-tally.ts';
import { dayOf, roundTraffic, type SentRequest, type SentSpan } from './kill-traffic.ts';
import { startNode, type TestNode } from './node-process.ts';
import { decodeResponse } from './otlp-proto.ts';
import { SpanBook, spanKey, type BookedTrace } from './span-book.ts';

export interface KillOptions {
  readonly rounds: number;
  readonly seed: number;
  readonly print: (line: string) => void;
}

const SENDERS = 6;
const KILL_AFTER_MIN_MS = 10;
const KILL_AFTER_MAX_MS = 500;
/** Of the last round, which ends without a kill. */
const CLEAN_LOAD_MS = 200;
/** Traces of older rounds read in every round; all are at the end. */
const OLDER_TRACES = 60;
/** Traces of each round read one by one at the end, when the others are read a hundred at a time. */
const FINAL_TRACES = 20;
const PROBES = 12;
const CONTENT_REQUESTS = 4;
/** Short, so that kills meet flushes and merges. */
const FLAGS = ['-inmemoryDataFlushInterval=1s'];

/** Runs the scenario in a temporary directory; throws at the first promise that is not kept. */
export async function runKillScenario(options: KillOptions): Promise<void> {
  await using node = await startNode({ flags: FLAGS });
  using scenario = new KillScenario(options, node);
  for (let round = 1; round <= options.rounds; round++) await scenario.killRound(round);
  await scenario.cleanEnd();
}

class KillScenario implements Disposable {
  readonly #options: KillOptions;
  readonly #node: TestNode;
  readonly #rng: Rng;
  readonly #book = new SpanBook();
  readonly #tally = new KillTally();
  /** Acknowledged requests of earlier rounds, some of which are sent again. */
  readonly #older: SentRequest[] = [];
  #client: KeepAliveClient;

  constructor(options: KillOptions, node: TestNode) {
    this.#options = options;
    this.#node = node;
    this.#rng = new Rng(options.seed);
    this.#client = new KeepAliveClient(node.httpPort, SENDERS + 2);
  }

  async killRound(round: number): Promise<void> {
    const killAfterMs = KILL_AFTER_MIN_MS + this.#rng.int(KILL_AFTER_MAX_MS - KILL_AFTER_MIN_MS + 1);
    const { load, command } = await this.#load(round, killAfterMs, () => this.#node.kill9());
    const recovered = await this.#start();
    await this.#checkRecovery();
    await this.#checkUnanswered(load, round);
    await this.#checkLookups(load);
    const answered = `${load.acknowledged.length} requests acknowledged, ${load.unanswered.length} not`;
    this.#options.print(`round ${round}: killed after ${killAfterMs} ms${command}, ${answered}; ${recovered}`);
  }

  /** A round without a kill: counts are exact, SIGTERM ends it with 0, and everything is there afterwards. */
  async cleanEnd(): Promise<void> {
    const before = await checks.readLedger(this.#client);
    const { load } = await this.#load(this.#options.rounds + 1, CLEAN_LOAD_MS, async () => undefined);
    expect(load.unanswered).toEqual([]);
    const { received, dropped } = await this.#checkLedger();
    const rejected = load.acknowledged.reduce((sum, request) => sum + request.rejected, 0);
    expect(received - before.received, 'rows received').toBe(spanCount(load.acknowledged) + rejected);
    expect(dropped - before.dropped, 'rows dropped').toBe(rejected);
    expect(await this.#node.stop(), 'exit code after SIGTERM').toBe(0);
    expect(this.#countFiles('log'), 'log files after a clean end').toBe(0);
    // A merge that the end cut short may have left the folder of its output, which the start removes. Counted before the start:
    // soon after it the next merge makes a folder.
    const folders = this.#countFiles('parts');

    await this.#start();
    const { logRows, parts } = readReadyLine(this.#node.log());
    expect(logRows, 'rows in the log after a clean end').toBe(0);
    expect([folders, folders - 1, folders - 2], 'parts after a clean end').toContain(parts);
    await this.#checkRecovery();
    await this.#checkEverything(load);
    this.#options.print(
      `${this.#book.acknowledgedSpans} spans in ${this.#book.traces.size} traces; ${this.#tally.text()}`,
    );
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }

  /** Sends the round's traffic until `end`, which is called `afterMs` later, and enters what became of it. */
  async #load(round: number, afterMs: number, end: () => Promise<void>): Promise<{ load: Load; command: string }> {
    const traffic = roundTraffic(this.#rng.uint32(), BigInt(Date.now()) * 1_000_000n);
    const load = new Load(traffic, this.#older, new Rng(this.#rng.uint32()));
    const path = this.#rng.pick(['', '', '/internal/force_flush', '/internal/force_merge']);
    const leadMs = Math.min(this.#rng.int(80), afterMs);
    const senders = Array.from({ length: SENDERS }, () => this.#send(load));
    await delay(afterMs - leadMs);
    // The node dies while it obeys and counts: only the end may leave these unanswered.
    const asked = [checks.readLedger(this.#client).then(checks.expectBalance)];
    if (path !== '') asked.push(this.#command(path));
    const answers = Promise.all(asked.map((answer) => answer.catch((error: unknown) => this.#forgive(load, error))));
    await delay(leadMs);
    load.isOver = true;
    await end();
    await Promise.all([...senders, answers]);
    this.#enter(load, round);
    return { load, command: path === '' ? '' : `, ${leadMs} ms into ${path}` };
  }

  async #send(load: Load): Promise<void> {
    while (!load.isOver) {
      const request = load.next();
      try {
        await this.#post(request);
        load.acknowledged.push(request);
      } catch (error) {
        this.#forgive(load, error);
        load.unanswered.push(request);
      }
    }
  }

  /** A connection may break when the node is killed; everything else is a failure. */
  #forgive(load: Load, error: unknown): void {
    if (!load.isOver || !(error instanceof Error) || !('code' in error)) throw error;
  }

  async #post(request: SentRequest): Promise<void> {
    const headers = { ...checks.tenantHeaders(request.tenant), 'content-type': 'application/x-protobuf' };
    const path = '/insert/opentelemetry/v1/traces';
    const { status, body } = await this.#client.send({ method: 'POST', path, headers, body: request.body });
    if (status !== 200)
      throw new Error(`a request was answered with ${status}: ${body.toString('utf8').slice(0, 300)}`);
    const rejected = Number(decodeResponse(body).partialSuccess?.rejectedSpans ?? 0);
    expect(rejected, 'spans rejected').toBe(request.rejected);
  }

  async #command(path: string): Promise<void> {
    const { status } = await this.#client.send({ method: 'POST', path });
    expect(status, path).toBe(200);
  }

  #enter(load: Load, round: number): void {
    for (const request of load.acknowledged) this.#book.enterAcknowledged(request, round);
    for (const request of load.unanswered) this.#book.enterUnknown(request, round);
    const described = [...this.#pick(load.acknowledged, CONTENT_REQUESTS), ...load.unanswered];
    for (const request of described) this.#book.enterContent(request);
    this.#older.push(...this.#pick(load.acknowledged, 2));
    this.#tally.addLoad(load);
  }

  /** Starts the node that has ended, and gives what it says of that. */
  async #start(): Promise<string> {
    this.#client[Symbol.dispose]();
    const startedMs = performance.now();
    await this.#node.start();
    this.#client = new KeepAliveClient(this.#node.httpPort, SENDERS + 2);
    return this.#tally.addStart(readReadyLine(this.#node.log()), performance.now() - startedMs);
  }

  /** What the node says it recovered agrees with what was acknowledged, and nothing was damaged. */
  async #checkRecovery(): Promise<void> {
    const { partRows, logRows, damaged, droppedDays } = readReadyLine(this.#node.log());
    this.#checkRows(partRows + logRows);
    expect({ damaged, droppedDays }).toEqual({ damaged: 0, droppedDays: 0 });
    // The load has invalid spans, too, and their last lines may come from the process that was killed.
    const warnings = this.#node.log().match(/^\S+ (WARN|ERROR) .*$/gm) ?? [];
    const complaints = warnings.filter((line) => !line.includes('spans were rejected'));
    expect(complaints, 'lines of the log').toEqual([]);
    const { received, stored, dropped } = await this.#checkLedger();
    expect({ received, stored, dropped }, 'counted since start').toEqual({ received: 0, stored: 0, dropped: 0 });
  }

  async #checkLedger(): Promise<checks.LedgerFigures> {
    const ledger = await checks.readLedger(this.#client);
    checks.expectBalance(ledger);
    expect(ledger.ingested, 'counted by the listener').toBe(ledger.stored);
    this.#checkRows(ledger.rowsOnDisk);
    return ledger;
  }

  /** At least what was acknowledged, each span once; at most everything that was sent. */
  #checkRows(rows: number): void {
    expect(rows, 'rows on disk').toBeGreaterThanOrEqual(this.#book.acknowledgedSpans);
    expect(rows, 'rows on disk').toBeLessThanOrEqual(this.#book.rowsMax);
  }

  /** The traces of the last two rounds and some older ones; then what was unanswered, before and after it is sent again. */
  async #checkUnanswered({ unanswered }: Load, round: number): Promise<void> {
    const byAge = Map.groupBy(this.#book.traces.values(), (trace) => Math.min(round - trace.round, 2));
    const older = this.#pick(byAge.get(2) ?? [], OLDER_TRACES);
    const stored = await checks.checkTraces(this.#client, [...(byAge.get(0) ?? []), ...older]);
    await checks.checkTracesInBulk(this.#client, byAge.get(1) ?? []);
    this.#checkAtomic(unanswered, stored);
    await forEachOf(unanswered, SENDERS, (request) => this.#post(request));
    for (const request of unanswered) this.#book.enterAcknowledged(request, round);
    await checks.checkTraces(this.#client, this.#tracesOf(unanswered));
    const ledger = await this.#checkLedger();
    expect(ledger.stored, 'rows stored since start').toBe(spanCount(unanswered));
  }

  /**
   * A request is in one block of each of its days: of a day all of it was stored or nothing. Judged by the spans that no
   * other request could have brought.
   */
  #checkAtomic(unanswered: readonly SentRequest[], stored: ReadonlySet<string>): void {
    const keys = unanswered.map(({ tenant, spans }) => {
      return new Set(spans.map(({ traceId, spanId }) => spanKey(tenant, traceId, spanId)));
    });
    for (const [index, request] of unanswered.entries()) {
      const { tenant } = request;
      const own = request.spans.filter(({ traceId, spanId }) => {
        const key = spanKey(tenant, traceId, spanId);
        const isAcknowledged = this.#book.traceOf(tenant, traceId).acknowledged.has(spanId);
        return !isAcknowledged && !keys.some((others, other) => other !== index && others.has(key));
      });
      const days = [...Map.groupBy(own, dayOf).values()].map((ofDay) => {
        const found = ofDay.filter(({ traceId, spanId }) => stored.has(spanKey(tenant, traceId, spanId))).length;
        expect([0, ofDay.length], 'spans of one day of an unanswered request that are there').toContain(found);
        return found > 0;
      });
      this.#tally.addUnanswered(days);
    }
  }

  async #checkEverything(load: Load): Promise<void> {
    const all = [...this.#book.traces.values()];
    const singles = FINAL_TRACES * this.#options.rounds;
    await checks.checkTracesInBulk(this.#client, all);
    await checks.checkTraces(this.#client, this.#pick(all, singles));
    await this.#checkLookups(load, Infinity);
    await this.#command('/internal/force_merge');
    const { rowsOnDisk } = await this.#checkLedger();
    expect(rowsOnDisk, 'rows after everything was merged: each span once').toBe(this.#book.acknowledgedSpans);
    await checks.checkTracesInBulk(this.#client, all);
    await checks.checkTraces(this.#client, this.#pick(all, singles / 4));
    expect(await this.#node.stop(), 'exit code after SIGTERM').toBe(0);
  }

  async #checkLookups(load: Load, servicesMax = 4): Promise<void> {
    const spans = load.acknowledged.flatMap(({ tenant, spans: sent }) => {
      return sent.map((span): readonly [string, SentSpan] => [tenant, span]);
    });
    const unique = spans.filter(([, { requestId }]) => requestId !== undefined);
    const probes = [...this.#pick(unique, PROBES), ...this.#pick(spans, PROBES)];
    await checks.checkSearch(this.#client, this.#book, probes);
    await checks.checkNames(this.#client, this.#book, servicesMax);
  }

  #tracesOf(requests: readonly SentRequest[]): Set<BookedTrace> {
    return new Set(
      requests.flatMap(({ tenant, spans }) => spans.map(({ traceId }) => this.#book.traceOf(tenant, traceId))),
    );
  }

  /** Entries of the folder `name` of every partition. */
  #countFiles(name: string): number {
    const partitions = join(this.#node.dataPath, 'partitions');
    return readdirSync(partitions).reduce((sum, day) => sum + readdirSync(join(partitions, day, name)).length, 0);
  }

  #pick<T>(items: readonly T[], count: number): T[] {
    if (items.length <= count) return [...items];
    return Array.from({ length: count }, () => this.#rng.pick(items));
  }
}

function spanCount(requests: readonly SentRequest[]): number {
  return requests.reduce((sum, { spans }) => sum + spans.length, 0);
}
