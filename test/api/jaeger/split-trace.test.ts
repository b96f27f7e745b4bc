// Splitting a trace on the wire: what the messages say together is the trace, and each keeps within the limits.
import { describe, expect, test } from 'vitest';
import { splitTrace, type SplitLimits } from '../../../src/api/jaeger/split-trace.ts';
import {
  decodeTraces,
  encodeTraces,
  spansOf,
  type OtlpRequest,
  type OtlpResourceSpans,
} from '../../support/otlp-proto.ts';
import { createRandom, randomRequest } from '../../support/random-request.ts';
import { attribute, span, traceOf } from '../../support/rich-trace.ts';

const START_NS = 1_763_600_000_000_000_000n;

function split(otlp: Uint8Array, limits?: Partial<SplitLimits>): Uint8Array[] {
  return [...splitTrace(otlp, { bytesMax: 3 << 20, spansMax: 2_000, ...limits })];
}

/** Every span with its resource and scope, in order. */
function flat(request: OtlpRequest): unknown[] {
  return (request.resourceSpans ?? []).flatMap(({ scopeSpans = [], ...group }: OtlpResourceSpans) =>
    scopeSpans.flatMap(({ spans = [], ...scope }) => spans.map((one) => ({ group, scope, one }))),
  );
}

describe('splitTrace', () => {
  test('a trace that fits is passed on as it is', () => {
    const otlp = encodeTraces(randomRequest(createRandom(1), START_NS));
    expect(split(otlp)[0]).toBe(otlp);
    expect(split(otlp)).toHaveLength(1);
  });

  test('a trace without spans gives no message', () => {
    expect(split(new Uint8Array(0))).toEqual([]);
    expect(split(encodeTraces({ resourceSpans: [{ schemaUrl: 'x', scopeSpans: [{ schemaUrl: 'y' }] }] }))).toEqual([]);
  });

  test.each([1, 2, 3, 7])('random traces in messages of %i spans are the trace', (spansMax) => {
    for (let seed = 1; seed <= 20; seed++) {
      const otlp = encodeTraces(randomRequest(createRandom(seed), START_NS));
      const messages = split(otlp, { spansMax }).map(decodeTraces);
      expect(messages.flatMap(flat), `seed ${seed}`).toEqual(flat(decodeTraces(otlp)));
      for (const message of messages.slice(0, -1)) expect(spansOf(message)).toHaveLength(spansMax);
    }
  });

  test('messages stay within the bytes, whatever is repeated in them', () => {
    const filler = 'x'.repeat(300);
    const groups = [1, 2, 3].flatMap((group) => {
      const spans = Array.from({ length: 200 }, (_, i) =>
        span(group * 1_000 + i, { name: 'n'.repeat((i * 37) % 400) }),
      );
      return traceOf(spans, [attribute('service.name', `s${group}`), attribute('filler', filler)]).resourceSpans!;
    });
    const otlp = encodeTraces({ resourceSpans: groups });
    const messages = split(otlp, { bytesMax: 4_000 });
    expect(messages.length).toBeGreaterThan(30);
    expect(Math.max(...messages.map(({ length }) => length))).toBeLessThanOrEqual(4_000);
    expect(messages.map(decodeTraces).flatMap(flat)).toEqual(flat(decodeTraces(otlp)));
  });

  test('a span that is too large alone has a message to itself', () => {
    const spans = [span(1), span(2, { name: 'x'.repeat(5_000) }), span(3)];
    const messages = split(encodeTraces(traceOf(spans)), { bytesMax: 1_000 });
    expect(messages.map((message) => spansOf(decodeTraces(message)).map(({ name }) => name!.length))).toEqual([
      [4],
      [5_000],
      [4],
    ]);
  });

  test('fields behind the spans, unknown ones too, are in every message', () => {
    // ResourceSpans {scope_spans {spans ×2, schema_url "s", 15: 1}, schema_url "r"} with the lists first.
    const scope = Buffer.concat([
      Buffer.from([0x12, 0x02, 0x30, 0x01, 0x12, 0x02, 0x30, 0x02]),
      Buffer.from('\x1a\x01s\x78\x01'),
    ]);
    const resource = Buffer.concat([Buffer.from([0x12, scope.length]), scope, Buffer.from('\x1a\x01r')]);
    const messages = split(Buffer.concat([Buffer.from([0x0a, resource.length]), resource]), { spansMax: 1 });
    expect(messages.map((message) => Buffer.from(message).toString('hex'))).toEqual(
      ['3001', '3002'].map((one) => `0a0e1a01721209${'1a0173'}${'7801'}1202${one}`),
    );
  });
});
