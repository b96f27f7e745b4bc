// Jaeger's legacy replies as their strictest readers take them (contract/jaeger.md §1.2, §1.8, §2.4, §3.3): Grafana's Go
// types want integer literals, the UI wants arrays where it maps over them and at least one span in a trace. Keys are exact.
import { z } from 'zod';
import { count, integer, number } from './strict-json.ts';

const error = z.strictObject({
  code: z.int().optional(),
  msg: z.string().min(1),
  traceID: z.string().optional(),
});

function envelope(data: z.ZodType): z.ZodType {
  return z.strictObject({
    data,
    total: count,
    limit: z.literal(0),
    offset: z.literal(0),
    errors: z.array(error).nullable(),
  });
}

/** 16 hex digits where the high half is zero, else 32. */
const traceId = z.string().regex(/^(?:[0-9a-f]{16}|(?!0{16})[0-9a-f]{32})$/);
const spanId = z.string().regex(/^[0-9a-f]{16}$/);

const largeInteger = z.string().regex(/^-?\d{16,19}$/);
const base64 = z.string().regex(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/);
const tag = z.discriminatedUnion('type', [
  z.strictObject({ key: z.string(), type: z.literal('string'), value: z.string() }),
  z.strictObject({ key: z.string(), type: z.literal('bool'), value: z.boolean() }),
  z.strictObject({ key: z.string(), type: z.literal('int64'), value: z.union([integer, largeInteger]) }),
  z.strictObject({
    key: z.string(),
    type: z.literal('float64'),
    value: z.union([number, z.enum(['NaN', '+Inf', '-Inf'])]),
  }),
  z.strictObject({ key: z.string(), type: z.literal('binary'), value: base64 }),
]);

const span = z.strictObject({
  traceID: traceId,
  spanID: spanId,
  flags: count.optional(),
  operationName: z.string().min(1),
  references: z.array(
    z.strictObject({
      refType: z.enum(['CHILD_OF', 'FOLLOWS_FROM']),
      traceID: z.string().regex(/^[0-9a-f]{16,32}$/),
      spanID: spanId,
    }),
  ),
  startTime: count,
  duration: count,
  tags: z.array(tag),
  logs: z.array(z.strictObject({ timestamp: count, fields: z.array(tag) })),
  processID: z.string().regex(/^p[1-9]\d*$/),
  warnings: z.array(z.string()).nullable(),
});

const trace = z
  .strictObject({
    traceID: traceId,
    // Grafana panics on a trace without spans.
    spans: z.array(span).min(1),
    processes: z.record(z.string(), z.strictObject({ serviceName: z.string().min(1), tags: z.array(tag) })),
    warnings: z.array(z.string()).nullable(),
  })
  .refine(
    ({ spans, processes }) => spans.every(({ processID }) => processID in processes),
    'a span without its process',
  )
  .refine(({ spans, traceID }) => spans.every((one) => one.traceID === traceID), 'a span of another trace');

/** One path of the deep dependency graph. */
const callPath = z.strictObject({
  path: z.array(z.strictObject({ service: z.string(), operation: z.string() })).min(1),
  attributes: z.array(z.strictObject({ key: z.literal('exemplar_trace_id'), value: traceId })),
});

type LegacyReply =
  | 'services'
  | 'operationNames'
  | 'operations'
  | 'traces'
  | 'oneTrace'
  | 'dependencies'
  | 'callPaths'
  | 'qualityMetrics'
  | 'archived'
  | 'refusal';

export const legacySchemas: Readonly<Record<LegacyReply, z.ZodType>> = {
  services: envelope(z.array(z.string())),
  /** null when there are none, as in Jaeger. */
  operationNames: envelope(z.array(z.string()).nullable()),
  operations: envelope(
    z.array(
      z.strictObject({
        name: z.string(),
        spanKind: z.enum(['', 'internal', 'server', 'client', 'producer', 'consumer']),
      }),
    ),
  ),
  traces: envelope(z.array(trace)),
  oneTrace: envelope(z.array(trace).length(1)),
  dependencies: envelope(
    z.array(z.strictObject({ parent: z.string(), child: z.string(), callCount: z.int().positive() })),
  ),
  /** No envelope (§2.7). */
  callPaths: z.strictObject({ dependencies: z.array(callPath) }),
  /** No envelope; the page reads all five. */
  qualityMetrics: z.strictObject({
    traceQualityDocumentationLink: z.string(),
    bannerText: z.strictObject({ value: z.string(), styling: z.record(z.string(), z.unknown()) }).nullable(),
    scores: z.array(z.unknown()),
    metrics: z.array(z.looseObject({ name: z.string(), category: z.string() })),
    clients: z.array(z.looseObject({ version: z.string() })),
  }),
  archived: z.strictObject({
    data: z.array(z.never()),
    total: z.literal(0),
    limit: z.literal(0),
    offset: z.literal(0),
    errors: z.array(z.never()),
  }),
  refusal: envelope(z.null()),
};
