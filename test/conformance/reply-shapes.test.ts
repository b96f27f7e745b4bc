// Every JSON reply in the shape its strictest reader takes (test/support/schemas): each endpoint of both API generations on the
// empty store, on S0, S1 and S2, and on random OTLP.
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { ask, askJson, exportTrace, force, sendTo, type Headers } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { looseSpans, spansByTrace } from '../support/otlp-json-set.ts';
import {
  toOtlpJson,
  type OtlpAnyValue,
  type OtlpKeyValue,
  type OtlpRequest,
  type OtlpSpan,
} from '../support/otlp-proto.ts';
import { legacySchemas } from '../support/schemas/legacy.ts';
import { metricFamily } from '../support/schemas/metrics.ts';
import { expectShape } from '../support/schemas/strict-json.ts';
import { v3Schemas } from '../support/schemas/v3.ts';
import { dayNs, hasS0, midnightNs, millisecondNs, noonNs, nowNs, S1, S2, sendS0 } from './data-sets.ts';
import { pathOf } from './questions.ts';

const startNs = midnightNs - 3n * dayNs;
const window = { start: startNs / 1_000n, end: nowNs / 1_000n, limit: 1_000 };
const iso = (ns: bigint): string => new Date(Number(ns / millisecondNs)).toISOString();
const v3Window = { 'query.startTimeMin': iso(startNs), 'query.startTimeMax': iso(nowNs), 'query.searchDepth': 1_000 };
const allSummaries = pathOf('/api/v3/trace-summaries', v3Window);
const dependencies = { endTs: nowNs / millisecondNs, lookback: 604_800_000 };

let node: TestNode;
beforeAll(async () => {
  node = await startNode();
});
afterAll(() => node[Symbol.asyncDispose]());

/** Asks `path` and holds the answer against `schema`; a 404 of v3 against its refusal. */
async function expectReply(path: string, schema: z.ZodType, headers: Headers): Promise<void> {
  const [status, type, text] = await ask(node, path, headers);
  expect([path, type]).toEqual([path, 'application/json']);
  if (status === 404 && path.startsWith('/api/v3/')) expectShape(v3Schemas.refusal, text, path);
  else {
    expect([path, status]).toEqual([path, 200]);
    expectShape(schema, text, path);
  }
}

/** What is answered to `request` as an uploaded file. */
async function expectTransformed(request: OtlpRequest): Promise<void> {
  const body = JSON.stringify(toOtlpJson(request));
  const reply = await fetch(`${node.url}/api/transform`, { method: 'POST', body });
  expect(reply.status).toBe(200);
  expectShape(legacySchemas.traces, await reply.text(), 'transform');
}

/** Every endpoint that lists or searches, with and without what narrows it, and every trace of the tenant by id. */
async function expectAllReplies(headers: Headers): Promise<number> {
  const { data: services } = await askJson<{ data: string[] }>(node, '/api/services', headers);
  const paths: [string, z.ZodType][] = [
    ['/api/services', legacySchemas.services],
    ['/api/v3/services', v3Schemas.services],
    [pathOf('/api/dependencies', dependencies), legacySchemas.dependencies],
    [pathOf('/api/v3/dependencies', { startTime: iso(startNs), endTime: iso(nowNs) }), v3Schemas.dependencies],
    [allSummaries, v3Schemas.summaries],
    [pathOf('/api/v3/traces', v3Window), v3Schemas.result],
  ];
  for (const service of [...services, 'nobody']) {
    paths.push(
      [`/api/services/${encodeURIComponent(service)}/operations`, legacySchemas.operationNames],
      [pathOf('/api/operations', { service }), legacySchemas.operations],
      [pathOf('/api/v3/operations', { service }), v3Schemas.operations],
      [pathOf('/api/traces', { service, ...window }), legacySchemas.traces],
      [pathOf('/api/traces', { service, ...window, raw: 'true' }), legacySchemas.traces],
      [pathOf('/api/v3/trace-summaries', { 'query.serviceName': service, ...v3Window }), v3Schemas.summaries],
      [pathOf('/analytics/v1/dependencies', { service, start: 0, end: 0 }), legacySchemas.callPaths],
      [pathOf('/api/quality-metrics', { service, hours: 48 }), legacySchemas.qualityMetrics],
      ...metricPaths(service),
    );
  }
  const { summaries } = await askJson<{ summaries: { traceId: string }[] }>(node, allSummaries, headers);
  for (const { traceId } of summaries.slice(0, 40)) {
    paths.push(
      [`/api/traces/${traceId}`, legacySchemas.oneTrace],
      [`/api/traces/${traceId}?raw=true`, legacySchemas.oneTrace],
      [`/api/v3/traces/${traceId}`, v3Schemas.result],
    );
  }
  for (const [path, schema] of paths) await expectReply(path, schema, headers);
  for (const { traceId } of summaries.slice(0, 2)) {
    const reply = await fetch(`${node.url}/api/archive/${traceId}`, { method: 'POST', headers });
    expectShape(legacySchemas.archived, await reply.text(), `archive ${traceId}`);
    await expectReply(`/api/archive/${traceId}`, legacySchemas.oneTrace, headers);
  }
  return summaries.length;
}

function metricPaths(service: string): [string, z.ZodType][] {
  const asked = { service, quantile: 0.95, endTs: nowNs / millisecondNs, lookback: 3_600_000, step: 60_000 };
  return (['latencies', 'call_rate', 'error_rate'] as const).flatMap((name): [string, z.ZodType][] => {
    const path = `/api/metrics/${name === 'latencies' ? name : name === 'call_rate' ? 'calls' : 'errors'}`;
    return [
      [pathOf(path, asked), metricFamily(`service_${name}`, false)],
      [pathOf(path, { ...asked, groupByOperation: 'true' }), metricFamily(`service_operation_${name}`, true)],
    ];
  });
}

describe('every reply has the shape its strictest client takes', () => {
  test('on an empty store', async () => {
    expect(await expectAllReplies({ AccountID: '100' })).toBe(0);
  });

  test.skipIf(!hasS0)('with S0', async () => {
    await sendS0(node, { AccountID: '101' });
    expect(await expectAllReplies({ AccountID: '101' })).toBeGreaterThan(25);
  });

  test('with S1 and S2', async () => {
    const headers = { AccountID: '102' };
    for (const request of [S1, S2]) {
      await sendTo(node, request, { headers });
      await expectTransformed(request);
    }
    expect(await expectAllReplies(headers)).toBe(2);
  });

  test('of refusals', async () => {
    const legacy = [
      '/api/traces',
      '/api/operations',
      '/api/traces/zz',
      '/api/traces?service=a&limit=x',
      '/api/dependencies?endTs=x',
    ];
    for (const path of [...legacy, '/api/traces/abc', '/api/metrics/calls']) {
      expectShape(legacySchemas.refusal, (await ask(node, path))[2], path);
    }
    const v3 = ['/api/v3/traces', '/api/v3/trace-summaries', '/api/v3/traces/zz', '/api/v3/traces/abc'];
    for (const path of v3) expectShape(v3Schemas.refusal, (await ask(node, path))[2], path);
  });
});

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('', 'error', 'span.kind', '\u0000', '🐎'),
);
const bytesOf = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
/** Neither all zero nor of another length: what the store accepts. */
const idOf = (length: number): fc.Arbitrary<Uint8Array> =>
  bytesOf(length).filter((bytes) => bytes.some((byte) => byte !== 0));
const { value: anyValue } = fc.letrec<{ value: OtlpAnyValue; pair: OtlpKeyValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.record({ stringValue: text }),
    fc.record({ boolValue: fc.boolean() }),
    fc.record({ intValue: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) }),
    fc.record({ doubleValue: fc.double() }),
    fc.record({ bytesValue: fc.uint8Array({ maxLength: 9 }) }),
    fc.constant({}),
    fc.record({ arrayValue: fc.record({ values: fc.array(tie('value'), { maxLength: 3 }) }) }),
    fc.record({ kvlistValue: fc.record({ values: fc.array(tie('pair'), { maxLength: 3 }) }) }),
  ),
  pair: fc.record({ key: text, value: tie('value') }),
}));
const attributes = fc.array(fc.record({ key: text, value: anyValue }), { maxLength: 4 });
const timeNs = fc.bigInt({ min: noonNs - 3_600_000_000_000n, max: noonNs });
const span: fc.Arbitrary<OtlpSpan> = fc.record({
  traceId: idOf(16),
  spanId: idOf(8),
  parentSpanId: fc.oneof(bytesOf(8), fc.constant(new Uint8Array(0))),
  traceState: text,
  flags: fc.nat(0x3ff),
  name: text,
  kind: fc.nat(7),
  startTimeUnixNano: timeNs,
  endTimeUnixNano: timeNs,
  attributes,
  droppedAttributesCount: fc.nat(9),
  events: fc.array(fc.record({ timeUnixNano: timeNs, name: text, attributes }), { maxLength: 2 }),
  links: fc.array(fc.record({ traceId: bytesOf(16), spanId: bytesOf(8), traceState: text, attributes }), {
    maxLength: 2,
  }),
  status: fc.record({ code: fc.nat(2), message: text }),
});
const request: fc.Arbitrary<OtlpRequest> = fc.record({
  resourceSpans: fc.array(
    fc.record({
      resource: fc.record({
        attributes: fc
          .tuple(fc.constantFrom('a', 'b/c', '', 'žluť'), attributes)
          .map(([service, others]) => [{ key: 'service.name', value: { stringValue: service } }, ...others]),
      }),
      scopeSpans: fc.array(
        fc.record({
          scope: fc.record({ name: text, version: text, attributes }),
          spans: fc.array(span, { minLength: 1, maxLength: 3 }),
          schemaUrl: text,
        }),
        { maxLength: 2 },
      ),
    }),
    { maxLength: 2 },
  ),
});

test('and so it is on random OTLP, which comes out as it went in', { timeout: 60_000 }, async () => {
  let account = 1_000;
  const property = fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 3 }), async (sent) => {
    const headers = { AccountID: String(account++) };
    for (const one of sent) {
      expect(await sendTo(node, one, { headers })).toBeUndefined();
      await expectTransformed(one);
    }
    if (account % 4 === 0) await force(node, 'merge');
    await expectAllReplies(headers);
    for (const [traceId, spans] of spansByTrace(sent.map(toOtlpJson))) {
      const out = await exportTrace(node, traceId, headers);
      expect(looseSpans(out).length).toBeGreaterThan(0);
      expect(spansByTrace([out]).get(traceId)).toEqual(spans);
    }
  });
  await fc.assert(property, { numRuns: 25, endOnFailure: true });
});
