// What was sent to a cluster under faults and acknowledged by it: what answers must have, each span once.
import { formatTraceId } from '../../src/trace/ids.ts';
import { encodeRequest } from './otlp-proto.ts';
import type { Random } from './random-request.ts';
import { attribute } from './rich-trace.ts';

interface LegacyAnswer {
  readonly data: readonly { readonly traceID: string; readonly spans: readonly { readonly spanID: string }[] }[] | null;
}

export class FaultBook {
  /** Span ids of acknowledged spans, by trace. */
  readonly #acknowledged = new Map<string, Set<string>>();
  /** Traces that got spans since they were checked last. */
  readonly #unchecked = new Set<string>();
  #nextSpan = 1;

  get traces(): string[] {
    return [...this.#acknowledged.keys()];
  }

  /** Span ids that are acknowledged now. */
  spansOf(trace: string): string[] {
    return [...this.#acknowledged.get(trace)!];
  }

  /** A request with spans of new and known traces; call `acknowledge` when it was. */
  makeRequest(random: Random): { readonly body: Uint8Array<ArrayBuffer>; readonly acknowledge: () => void } {
    const known = this.traces;
    const spans = Array.from({ length: 1 + Math.floor(random() * 12) }, () => {
      const isKnown = known.length > 0 && random() < 0.3;
      const id = isKnown ? pick(random, known) : newTraceId(random);
      const spanId = new Uint8Array(Buffer.from(String(this.#nextSpan++).padStart(16, '0'), 'hex'));
      const startTimeUnixNano = BigInt(Date.now()) * 1_000_000n;
      return {
        traceId: new Uint8Array(Buffer.from(id, 'hex')),
        spanId,
        name: 'op',
        startTimeUnixNano,
        endTimeUnixNano: startTimeUnixNano + 5n,
      };
    });
    const resource = { attributes: [attribute('service.name', 'shop')] };
    const body = encodeRequest({ resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 's' }, spans }] }] });
    const acknowledge = (): void => {
      for (const { traceId, spanId } of spans) {
        const id = formatTraceId(traceId);
        const ids = this.#acknowledged.get(id) ?? new Set();
        this.#acknowledged.set(id, ids.add(Buffer.from(spanId).toString('hex')));
        this.#unchecked.add(id);
      }
    };
    return { body: new Uint8Array(body), acknowledge };
  }

  /** Traces that got spans since the last call, and some of all. */
  takeUnchecked(random: Random, others: number): Set<string> {
    const known = this.traces;
    const old = known.length === 0 ? [] : Array.from({ length: others }, () => pick(random, known));
    const taken = new Set([...this.#unchecked, ...old]);
    this.#unchecked.clear();
    return taken;
  }
}

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!;
}

function newTraceId(random: Random): string {
  return Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join('');
}

/** Throws unless an answer about a trace has every span of `wanted`, and none twice. */
export function checkSpans(id: string, wanted: readonly string[], status: number, text: string): void {
  if (status !== 200) throw new Error(`acknowledged trace ${id} got ${status}: ${text.slice(0, 300)}`);
  const found = spansIn(text);
  const missing = wanted.filter((span) => !found.includes(span));
  if (missing.length > 0) throw new Error(`trace ${id} lacks acknowledged spans ${missing.join(' ')}`);
  checkOnce(id, text);
}

/** Throws if an answer shows a span twice. */
export function checkOnce(id: string, text: string): void {
  const found = spansIn(text);
  if (new Set(found).size < found.length) throw new Error(`trace ${id} shows a span twice`);
}

function spansIn(text: string): string[] {
  return ((JSON.parse(text) as LegacyAnswer).data ?? []).flatMap(({ spans }) => spans.map(({ spanID }) => spanID));
}
