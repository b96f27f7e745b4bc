// Traces that stand in a suite query's way: of its service, each failing exactly one of its conditions (a tag, the operation,
// the duration, the window) and meeting all others. An index that is only nearly right finds some of them.
import type { SuiteQuery } from './jaeger-suite.ts';
import type { OtlpKeyValue, OtlpRequest, OtlpSpan } from './otlp-proto.ts';
import { attribute } from './rich-trace.ts';

/** API v3 takes an end of whole milliseconds for the whole of the last one, because the UI knows no less. */
const millisecondNs = 1_000_000n;

/** A span without ids; its end is the start plus `durationNs`. */
interface NearMiss {
  readonly name: string;
  readonly tags: SuiteQuery['typedTags'];
  readonly startNs: bigint;
  readonly durationNs: number;
}

/** `traces` traces of one span each; `series` (below 2^16) tells the ids of several calls apart. */
export function noiseOf(query: SuiteQuery, series: number, traces: number): OtlpRequest {
  const kinds = nearMisses(query);
  const spans = Array.from({ length: traces }, (_, i): OtlpSpan => {
    const { name, tags, startNs, durationNs } = kinds[i % kinds.length]!;
    return {
      traceId: idOf(16, series, i),
      spanId: idOf(8, series, i),
      name,
      startTimeUnixNano: startNs,
      endTimeUnixNano: startNs + BigInt(durationNs),
      attributes: Object.entries(tags).map(([key, value]) => typed(key, value)),
    };
  });
  const resource = { attributes: [attribute('service.name', query.terms.service)] };
  return { resourceSpans: [{ resource, scopeSpans: [{ scope: {}, spans }] }] };
}

function nearMisses({ terms, typedTags }: SuiteQuery): NearMiss[] {
  const { operation, startNs, endNs, minNs, maxNs } = terms;
  const name = operation === '' ? 'noise' : operation;
  const match = { name, tags: typedTags, startNs: (startNs + endNs) / 2n, durationNs: maxNs === 0 ? 5_000 : maxNs };
  const misses: NearMiss[] = [
    { ...match, startNs: startNs - millisecondNs },
    { ...match, startNs: endNs + millisecondNs },
  ];
  if (operation !== '') misses.push({ ...match, name: `${operation}2` });
  if (minNs > 0) misses.push({ ...match, durationNs: minNs - 1 });
  if (maxNs > 0) misses.push({ ...match, durationNs: maxNs + 1 });
  for (const key of Object.keys(typedTags)) {
    const { [key]: value, ...others } = typedTags;
    misses.push({ ...match, tags: others }, { ...match, tags: { ...others, [`${key}2`]: value! } });
    misses.push({ ...match, tags: { ...others, [key]: `${value}0` } });
  }
  return misses;
}

function typed(key: string, value: string | number | boolean): OtlpKeyValue {
  if (typeof value === 'string') return attribute(key, value);
  if (typeof value === 'boolean') return attribute(key, { boolValue: value });
  return attribute(key, Number.isInteger(value) ? { intValue: BigInt(value) } : { doubleValue: value });
}

function idOf(length: number, series: number, index: number): Uint8Array {
  const id = Buffer.alloc(length, 0x6e);
  id.writeUInt16BE(series, length - 4);
  id.writeUInt16BE(index, length - 2);
  return id;
}
