// The traffic of the cluster demos: one writer that repeats what was not acknowledged, as exporters do, and two readers of which
// one takes answers without a node. They count what was answered.
import { setTimeout as delay } from 'node:timers/promises';

const SPANS = 5;
const TRACES_PER_WRITE = 10;
const PAUSE_MS = 20;
/** Traces asked for together at the end. */
const CHECKED_TRACES = 50;
const TIMEOUT_MS = 15_000;

interface Front {
  /** http://HOST:PORT that takes OTLP. */
  readonly writeUrl: string;
  /** http://HOST:PORT of Jaeger's API. */
  readonly readUrl: string;
}

interface Tally {
  written: number;
  writesRefused: number;
  read: number;
  readsRefused: number;
  /** Searches that were answered without a node, or with a warning that something may be missing. */
  marked: number;
}

const NONE: Tally = { written: 0, writesRefused: 0, read: 0, readsRefused: 0, marked: 0 };

export class ClusterTraffic {
  readonly #front: Front;
  readonly #acknowledged: number[] = [];
  readonly #running: Promise<unknown>;
  #tally: Tally = { ...NONE };
  #refusal: string | undefined;
  #isOver = false;

  /** Begins at once. */
  constructor(front: Front) {
    this.#front = front;
    this.#running = Promise.all([this.#write(), this.#readTraces(), this.#search()]);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  /** What happened since the last call, as a line. */
  takeTally(): string {
    const { written, writesRefused, read, readsRefused, marked } = this.#tally;
    this.#tally = { ...NONE };
    const count = (value: number): string => String(value).padStart(4);
    return [
      `${count(written)} traces written, ${count(writesRefused)} writes refused`,
      `${count(read)} traces read, ${count(readsRefused)} refused`,
      `${count(marked)} marked incomplete`,
    ].join('  ');
  }

  /** The text of the last refused read since the last call. */
  takeRefusal(): string | undefined {
    const refusal = this.#refusal;
    this.#refusal = undefined;
    return refusal;
  }

  /** Asks for every acknowledged trace. `missing`: those that are not answered with all their spans. */
  async verify(): Promise<{ readonly acknowledged: number; readonly missing: number }> {
    let whole = 0;
    for (let at = 0; at < this.#acknowledged.length; at += CHECKED_TRACES)
      whole += await this.#countWhole(this.#acknowledged.slice(at, at + CHECKED_TRACES));
    return { acknowledged: this.#acknowledged.length, missing: this.#acknowledged.length - whole };
  }

  async #write(): Promise<void> {
    for (let n = 0; !this.#isOver; n += TRACES_PER_WRITE) {
      const numbers = Array.from({ length: TRACES_PER_WRITE }, (_, i) => n + i);
      const body = JSON.stringify({ resourceSpans: numbers.map(traceOf) });
      while (!(await this.#isAcknowledged(body))) {
        this.#tally.writesRefused++;
        if (this.#isOver) return;
        await delay(200);
      }
      this.#acknowledged.push(...numbers);
      this.#tally.written += numbers.length;
      await delay(PAUSE_MS);
    }
  }

  async #isAcknowledged(body: string): Promise<boolean> {
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body, signal: AbortSignal.timeout(TIMEOUT_MS) };
    return await fetch(`${this.#front.writeUrl}/v1/traces`, init).then(
      async (answer) => {
        await answer.text();
        return answer.status === 200;
      },
      () => false,
    );
  }

  async #readTraces(): Promise<void> {
    for (; !this.#isOver; await delay(PAUSE_MS)) {
      const n = this.#acknowledged[Math.floor(Math.random() * this.#acknowledged.length)];
      if (n === undefined) continue;
      if ((await this.#countWhole([n])) === 1) this.#tally.read++;
      else this.#tally.readsRefused++;
    }
  }

  /** How many of these traces are answered with all their spans. */
  async #countWhole(numbers: readonly number[]): Promise<number> {
    const [status, text] = await this.#ask(`/api/traces?${numbers.map((n) => `traceID=${idOf(n)}`).join('&')}`);
    if (status !== 200) {
      this.#refusal = `${status} ${/"msg":"([^"]{1,160})/.exec(text)?.[1] ?? text.slice(0, 160)}`;
      return 0;
    }
    const { data } = JSON.parse(text) as { data: { spans: unknown[] }[] | null };
    return (data ?? []).filter(({ spans }) => spans.length === SPANS).length;
  }

  async #search(): Promise<void> {
    for (; !this.#isOver; await delay(10 * PAUSE_MS)) {
      const [status, , isMarked] = await this.#ask('/api/traces?service=checkout&limit=20&allow_partial_response=1');
      if (status === 200 && isMarked) this.#tally.marked++;
    }
  }

  /** Status, text, and whether the answer says that something is missing; status 0 and the reason when there is no answer. */
  async #ask(path: string): Promise<[status: number, text: string, isMarked: boolean]> {
    try {
      const answer = await fetch(this.#front.readUrl + path, { signal: AbortSignal.timeout(TIMEOUT_MS) });
      const isMarked = ['x-tracelith-partial', 'tracelith-warnings'].some((header) => answer.headers.has(header));
      return [answer.status, await answer.text(), isMarked];
    } catch (error) {
      return [0, error instanceof Error ? error.message : String(error), false];
    }
  }
}

function idOf(n: number): string {
  return (n + 1).toString(16).padStart(32, '0');
}

/** ResourceSpans of trace `n`, as OTLP JSON. */
function traceOf(n: number): object {
  const startNs = BigInt(Date.now()) * 1_000_000n;
  const spans = Array.from({ length: SPANS }, (_, i) => ({
    traceId: idOf(n),
    spanId: ((n + 1) * SPANS + i).toString(16).padStart(16, '0'),
    parentSpanId: i === 0 ? '' : ((n + 1) * SPANS).toString(16).padStart(16, '0'),
    name: i === 0 ? 'POST /checkout' : `step ${i}`,
    kind: i === 0 ? 2 : 1,
    startTimeUnixNano: String(startNs + BigInt(i) * 1_000_000n),
    endTimeUnixNano: String(startNs + BigInt(i + 5) * 1_000_000n),
    attributes: [{ key: 'order', value: { intValue: String(n) } }],
  }));
  const attributes = [{ key: 'service.name', value: { stringValue: 'checkout' } }];
  return { resource: { attributes }, scopeSpans: [{ spans }] };
}
