// One trace with everything Jaeger's view treats specially, except what Jaeger itself cannot print (NaN, infinities) or
// prints in another order on purpose (events, doubled keys). fixtures/jaeger/rich-trace*.json is what Jaeger v2.20 makes of it.
import type { OtlpAnyValue, OtlpKeyValue, OtlpRequest, OtlpSpan } from './otlp-proto.ts';

export const RICH_START_NS = 1_763_600_000_123_456_789n;
export const RICH_TRACE_ID = Buffer.from('a1b2c3d4e5f60718293a4b5c6d7e8f90', 'hex');

export function attribute(key: string, value: OtlpAnyValue | string): OtlpKeyValue {
  return { key, value: typeof value === 'string' ? { stringValue: value } : value };
}

export function spanId(value: number): Uint8Array {
  const id = Buffer.alloc(8);
  id.writeUInt32BE(value, 4);
  return id;
}

/** A span of the rich trace's id that starts `afterNs` later and lasts 5 µs, with `more` over it. */
export function span(id: number, more: OtlpSpan = {}, afterNs = 0n): OtlpSpan {
  const startTimeUnixNano = RICH_START_NS + afterNs;
  const endTimeUnixNano = startTimeUnixNano + 5_000n;
  return { traceId: RICH_TRACE_ID, spanId: spanId(id), name: `op-${id}`, startTimeUnixNano, endTimeUnixNano, ...more };
}

/** One service's spans. */
export function traceOf(
  spans: OtlpSpan[],
  attributes: OtlpKeyValue[] = [attribute('service.name', 'shop')],
): OtlpRequest {
  return { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ scope: {}, spans }] }] };
}

const everyType: OtlpKeyValue[] = [
  attribute('z.string', 'a <b> & "c" \u2028 žluť 🐎'),
  attribute('int', { intValue: -42n }),
  attribute('int.max.safe', { intValue: 2n ** 53n - 1n }),
  attribute('int.2^53', { intValue: 2n ** 53n }),
  attribute('int.min', { intValue: -(2n ** 63n) }),
  attribute('double', { doubleValue: 72.5 }),
  attribute('double.whole', { doubleValue: 3 }),
  attribute('double.large', { doubleValue: 1e21 }),
  attribute('double.small', { doubleValue: 1e-7 }),
  attribute('double.minus.zero', { doubleValue: -0 }),
  attribute('bool', { boolValue: false }),
  attribute('bytes', { bytesValue: Uint8Array.of(0, 0, 48, 57) }),
  attribute('empty', {}),
  attribute('empty.string', ''),
  attribute('list', {
    arrayValue: { values: [{ stringValue: '<x>' }, { intValue: 2n ** 60n }, {}, { bytesValue: Uint8Array.of(255) }] },
  }),
  attribute('map', {
    kvlistValue: {
      values: [
        attribute('b', { doubleValue: 1.5 }),
        attribute('a', { kvlistValue: {} }),
        attribute('b', { arrayValue: {} }),
      ],
    },
  }),
  attribute('ip', { intValue: 16_909_060n }),
  attribute('peer.ipv4', { doubleValue: 4_294_967_295 }),
  attribute('telemetry.sdk.name', 'opentelemetry'),
];

const frontend: OtlpSpan[] = [
  span(1, {
    kind: 3,
    traceState: 'vendor=1,other=2',
    flags: 0x101,
    attributes: everyType,
    droppedAttributesCount: 3,
    status: { code: 2, message: 'it <broke>' },
    endTimeUnixNano: RICH_START_NS + 1_000_999n,
    events: [
      { timeUnixNano: RICH_START_NS + 1n, name: 'exception', attributes: [attribute('z', '1'), attribute('a', '2')] },
      { timeUnixNano: RICH_START_NS + 2_000n, name: 'exception', attributes: [attribute('event', 'mine')] },
    ],
  }),
  span(2, { kind: 1, parentSpanId: spanId(1), status: { code: 1 }, endTimeUnixNano: RICH_START_NS + 999n }),
  span(3, { parentSpanId: spanId(99), attributes: [attribute('telemetry.sdk.name', 'another')] }),
  span(4, { name: '', endTimeUnixNano: RICH_START_NS - 500_000_000n, kind: 42 }),
];

const backend: OtlpSpan[] = [
  span(1, { kind: 2, name: 'shares the id of its client span' }, 2_000_000n),
  span(6, {
    kind: 4,
    parentSpanId: spanId(1),
    events: [{ timeUnixNano: RICH_START_NS }, { timeUnixNano: RICH_START_NS }],
  }),
  span(7, {
    kind: 5,
    parentSpanId: spanId(6),
    links: [
      { traceId: RICH_TRACE_ID, spanId: spanId(6), attributes: [attribute('opentracing.ref_type', 'follows_from')] },
      {
        traceId: Buffer.from('00000000000000001122334455667788', 'hex'),
        spanId: spanId(70),
        traceState: 'x=y',
        flags: 1,
      },
      { traceId: RICH_TRACE_ID, spanId: spanId(2), attributes: [attribute('opentracing.ref_type', 'child_of')] },
      { traceId: Buffer.alloc(16), spanId: spanId(71) },
    ],
  }),
];

export const RICH_TRACE: OtlpRequest = {
  resourceSpans: [
    {
      resource: {
        attributes: [
          attribute('service.name', 'frontend'),
          attribute('zone', 'b'),
          attribute('host.id', 'h1'),
          attribute('ip', { intValue: 1n }),
        ],
        droppedAttributesCount: 1,
        entityRefs: [
          { schemaUrl: 'https://example.org/e', type: 'service', idKeys: ['service.name'], descriptionKeys: ['zone'] },
        ],
      },
      scopeSpans: [
        {
          scope: {
            name: '@scope/http',
            version: '1.2.3',
            attributes: [attribute('scope.attribute', { intValue: 123n })],
          },
          spans: frontend,
          schemaUrl: 'https://opentelemetry.io/schemas/1.30.0',
        },
      ],
      schemaUrl: 'https://example.org/resource',
    },
    {
      resource: { attributes: [attribute('host.id', 'h2'), attribute('service.name', 'backend')] },
      scopeSpans: [{ spans: backend }],
    },
  ],
};
