// The traffic of one round of the kill test: requests of the workload generator in random order, each with what it holds.
// A round has its own seed, so its ids are its own. Some requests span midnight, some hold spans that must be rejected,
// some go to other tenants: traces are spread over requests, days and tenants.
import type { Attributes, GeneratedSpan } from '../../native-bench/workload/model.ts';
import { RequestEncoder } from '../../native-bench/workload/encode.ts';
import { generatedSpans, profiles, type WorkloadOptions } from '../../native-bench/workload/requests.ts';
import { Rng } from '../../native-bench/workload/rng.ts';

/** One span as the oracle remembers it. */
export interface SentSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly service: string;
  readonly operation: string;
  /** ns since the epoch. */
  readonly startNs: bigint;
  /** Value of `guid:x-request-id`, which no other span has. */
  readonly requestId: string | undefined;
}

export interface SentRequest {
  /** AccountID:ProjectID */
  readonly tenant: string;
  readonly body: Uint8Array;
  /** Spans to be stored; one may occur twice. */
  readonly spans: readonly SentSpan[];
  /** Spans beside them that must be rejected. */
  readonly rejected: number;
}

/** Most requests go to the first: its days grow large while the others stay small. */
const TENANTS = ['0:0', '0:0', '0:0', '7:0', '4294967295:3'];
const DAY_NS = 86_400_000_000_000n;
const SECOND_NS = 1_000_000_000n;
const REJECTED_SHARE = 0.05;

export const UNIQUE_TAG = 'guid:x-request-id';

/** The requests of a round, in the order to be sent: about as much as a freshly started node takes in half a second. */
export function roundTraffic(seed: number, nowNs: bigint): SentRequest[] {
  const rng = new Rng(seed);
  const midnightNs = nowNs - (nowNs % DAY_NS);
  const minuteAgoNs = nowNs - 60n * SECOND_NS;
  const common = { instances: 2, seconds: 30 };
  const streams = [
    stream({ ...common, profile: 'shop', seed: rng.uint32(), spans: 5_000, batch: 250, startNs: minuteAgoNs }, rng),
    stream({ ...common, profile: 'shop', seed: rng.uint32(), spans: 300, batch: 3, startNs: minuteAgoNs }, rng),
    stream(
      {
        ...common,
        profile: 'shop',
        seed: rng.uint32(),
        spans: 4_000,
        batch: 120,
        startNs: midnightNs - 15n * SECOND_NS,
      },
      rng,
    ),
    stream({ ...common, profile: 'late', seed: rng.uint32(), spans: 2_500, batch: 400, startNs: minuteAgoNs }, rng),
    stream({ ...common, profile: 'odd', seed: rng.uint32(), spans: 500, batch: 60, startNs: minuteAgoNs }, rng),
  ];
  return interleave(streams, rng);
}

function stream(options: WorkloadOptions, rng: Rng): SentRequest[] {
  // The profile draws its resources first, so a second one of the same seed has the same.
  const { resources } = profiles[options.profile](new Rng(options.seed), options.instances);
  const encoder = new RequestEncoder(resources, options.startNs);
  const services = resources.map(({ attributes }) => textOf(attributes, 'service.name') ?? '');
  const made: SentRequest[] = [];
  let pending: GeneratedSpan[] = [];
  const cut = (): void => {
    const bad = rng.chance(REJECTED_SHARE) ? pending.slice(0, 1).map(withoutTraceId) : [];
    const body = encoder.encode([...pending, ...bad]);
    const spans = pending.map((span) => sentSpan(span, services[span.resource]!, options.startNs));
    made.push({ tenant: rng.pick(TENANTS), body, spans, rejected: bad.length });
    pending = [];
  };
  for (const span of generatedSpans(options)) if (pending.push(span) >= options.batch) cut();
  if (pending.length > 0) cut();
  return made;
}

function withoutTraceId(span: GeneratedSpan): GeneratedSpan {
  return { ...span, traceId: new Uint8Array(16) };
}

function sentSpan(span: GeneratedSpan, service: string, startNs: bigint): SentSpan {
  return {
    traceId: Buffer.from(span.traceId).toString('hex'),
    spanId: Buffer.from(span.spanId).toString('hex'),
    service,
    operation: span.name,
    startNs: startNs + BigInt(Math.floor(span.startNs)),
    requestId: textOf(span.attributes, UNIQUE_TAG),
  };
}

function textOf(attributes: Attributes, name: string): string | undefined {
  const value = attributes.find(([key]) => key === name)?.[1];
  return typeof value === 'string' ? value : undefined;
}

/** Each stream keeps its order; which one is next is drawn in proportion to what is left of it. */
function interleave(streams: readonly SentRequest[][], rng: Rng): SentRequest[] {
  const order = streams.flatMap((requests, index) => requests.map(() => index));
  for (let i = order.length - 1; i > 0; i--) {
    const j = rng.int(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  const taken = streams.map(() => 0);
  return order.map((index) => streams[index]![taken[index]!++]!);
}

/** The day a span belongs to. */
export function dayOf(span: SentSpan): bigint {
  return span.startNs / DAY_NS;
}
