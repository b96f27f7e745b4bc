// §9.F: dependencies from stored spans, and the Monitor tab's metrics.
import { afterAll, beforeAll, expect } from 'vitest';
import { ask, askJson, force, sendTo } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import type { OtlpSpan } from '../support/otlp-proto.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';
import { spanId } from '../support/rich-trace.ts';
import { legacySchemas } from '../support/schemas/legacy.ts';
import { expectShape } from '../support/schemas/strict-json.ts';
import { check } from './check.ts';
import { dayNs, hourNs, makeSpan, millisecondNs, nowNs, requestOf, secondNs } from './data-sets.ts';
import { pathOf, type Envelope } from './questions.ts';

const minuteNs = 60n * secondNs;

interface Link {
  readonly parent: string;
  readonly child: string;
  readonly callCount: number;
}

let node: TestNode;
beforeAll(async () => {
  node = await startNode();
  // A call yesterday but within the last 24 hours, one three days ago.
  for (const [trace, startNs] of [
    [0xf10, nowNs - hourNs],
    [0xf11, nowNs - 3n * dayNs],
  ] as const) {
    const at = { startTimeUnixNano: startNs };
    const spans = {
      front: [makeSpan(trace, 1, at)],
      back: [2, 3].map((id) => makeSpan(trace, id, { ...at, parentSpanId: spanId(1) })),
    };
    for (const [service, own] of Object.entries(spans)) await sendTo(node, requestOf(service, own));
  }
});
afterAll(() => node[Symbol.asyncDispose]());

const endMs = (): bigint => nowNs / millisecondNs + 60_000n;

async function links(params: Readonly<Record<string, string | number | bigint>> = {}): Promise<Link[]> {
  const path = pathOf('/api/dependencies', params);
  const [status, , text] = await ask(node, path);
  expect([path, status]).toEqual([path, 200]);
  expectShape(legacySchemas.dependencies, text, path);
  return (JSON.parse(text) as Envelope<Link[]>).data;
}

check('F1', async () => {
  const week = await links({ endTs: endMs(), lookback: 604_800_000 });
  expect(week).toEqual([{ parent: 'front', child: 'back', callCount: 4 }]);
  expect(await links({ endTs: endMs() - 10n * 86_400_000n, lookback: 1_000 })).toEqual([]);
});

check('F2', async () => {
  expect(await links()).toEqual([{ parent: 'front', child: 'back', callCount: 2 }]);
  const [status, , text] = await ask(node, '/api/dependencies?endTs=abc');
  expect([status, (JSON.parse(text) as Envelope<null>).errors?.[0]?.msg]).toEqual([
    400,
    expect.stringMatching(/^unable to parse param 'endTs': ./),
  ]);
  expect(await links({ service: 'front' })).toHaveLength(1);
  expect(await links({ service: 'back' })).toHaveLength(1);
  expect(await links({ service: 'other' })).toEqual([]);
});

check('F3', async () => {
  const headers = { AccountID: '3' };
  const random = createRandom(printedSeed('F3'));
  const services = ['a', 'b', 'c', 'd'];
  const spansOf = new Map<string, OtlpSpan[]>(services.map((service) => [service, []]));
  const expected = new Map<string, number>();
  for (let trace = 0; trace < 60; trace++) {
    // Within the second from a full minute on: calls are counted among the spans of one UTC day.
    const traceNs = ((nowNs - BigInt(Math.floor(random() * 20 * 3_600)) * secondNs) / minuteNs) * minuteNs;
    // Some parents are later in the trace, some (above 20) are not in it, 0 is none.
    const made = Array.from({ length: 20 }, (_, i) => ({
      id: i + 1,
      service: services[Math.floor(random() * services.length)]!,
      parent: Math.floor(random() * 23),
    }));
    for (const { id, service, parent } of made) {
      const startTimeUnixNano = traceNs + BigInt(Math.floor(random() * 1e9));
      const parentSpanId = parent === 0 ? new Uint8Array(0) : spanId(parent);
      spansOf.get(service)!.push(makeSpan(0xf30_000 + trace, id, { startTimeUnixNano, parentSpanId }));
      const caller = made[parent - 1]?.service;
      // Calls within a service are not drawn.
      if (caller === undefined || caller === service) continue;
      const key = `${caller} ${service}`;
      expected.set(key, (expected.get(key) ?? 0) + 1);
    }
  }
  for (const [service, spans] of spansOf) {
    for (let at = 0; at < spans.length; at += 50) {
      await sendTo(node, requestOf(service, spans.slice(at, at + 50)), { headers });
      if (at % 100 === 0) await force(node, 'flush');
    }
  }
  const moves = [
    () => Promise.resolve(),
    () => force(node, 'merge'),
    () => node.restart(),
    () => node.restart('SIGKILL'),
  ];
  for (const move of moves) {
    await move();
    const path = pathOf('/api/dependencies', { endTs: endMs(), lookback: 172_800_000 });
    const { data } = await askJson<Envelope<Link[]>>(node, path, headers);
    const found = data.map(({ parent, child, callCount }): [string, number] => [`${parent} ${child}`, callCount]);
    expect(new Map(found)).toEqual(expected);
  }
});
