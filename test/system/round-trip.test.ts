// OTLP out equals OTLP in (P3) and a retry is harmless (P5), over the three protocols against the real program: for captured
// traffic and for random requests with everything OTLP allows, wherever the spans lie in the meantime.
import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readFrames } from '../../native-bench/workload/frames.ts';
import { shiftFrames } from '../../native-bench/workload/shift-frames.ts';
import { exportText, force, PROTOCOLS, readLedger, sendTo } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { spansByTrace, spansByTraceOf } from '../support/otlp-json-set.ts';
import { decodeRequest, spansOf, type OtlpRequest } from '../support/otlp-proto.ts';
import { createRandom, printedSeed, randomBytes, randomRequest, type Random } from '../support/random-request.ts';
import { attribute } from '../support/rich-trace.ts';

const corpus = new URL('../../../shared/corpora/otel-demo.otlpframes', import.meta.url).pathname;
const nowNs = BigInt(Date.now()) * 1_000_000n;

/** The exports of `ids`, a few at a time. */
async function exportsOf(node: TestNode, ids: readonly string[]): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for (let at = 0; at < ids.length; at += 16) {
    const some = ids.slice(at, at + 16);
    const found = await Promise.all(some.map((id) => exportText(node, id)));
    some.forEach((id, i) => texts.set(id, found[i] ?? 'not found'));
  }
  return texts;
}

function spansOfTexts(texts: Iterable<string>): Map<string, string[]> {
  return spansByTrace(Array.from(texts, (text) => (JSON.parse(text) as { result: unknown }).result));
}

/** Checks what is stored now, then that every move keeps every byte of every answer. */
async function expectKept(node: TestNode, requests: readonly OtlpRequest[]): Promise<void> {
  const sent = spansByTraceOf(requests);
  const ids = [...sent.keys()];
  const first = await exportsOf(node, ids);
  const out = spansOfTexts(first.values());
  for (const [id, spans] of sent) expect(out.get(id), id).toEqual(spans);
  expect(out.size).toBe(sent.size);
  const moves = [
    () => force(node, 'flush'),
    () => force(node, 'merge'),
    () => node.restart('SIGKILL'),
    () => node.restart(),
  ];
  for (const [n, move] of moves.entries()) {
    await move();
    // Of very many traces each move has its own share.
    const some = ids.filter((_, i) => ids.length < 200 || i % moves.length === n);
    const again = await exportsOf(node, some);
    for (const id of some) expect(again.get(id), id).toBe(first.get(id));
  }
}

describe.skipIf(!existsSync(corpus))('the captured traffic of the OpenTelemetry demo (otel-demo.otlpframes)', () => {
  test('comes out as it went in, wherever it lies', async () => {
    await using node = await startNode();
    const frames = [...shiftFrames(readFrames(corpus), { nowNs, freshIds: false, seed: 1 })];
    for (const { body } of frames) expect(await sendTo(node, body)).toBeUndefined();
    const spans = frames.reduce((sum, frame) => sum + frame.spans, 0);
    expect(await readLedger(node)).toMatchObject({
      tracelith_rows_received_total: spans,
      tracelith_rows_stored_total: spans,
      'vt_rows_ingested_total{type="opentelemetry_traces_otlphttp_protobuf"}': spans,
    });
    await expectKept(
      node,
      frames.map(({ body }) => decodeRequest(body)),
    );
  });
});

/** A request whose spans share a few traces, so that traces come in pieces. */
function requestOfTraces(random: Random, traceIds: readonly Uint8Array[], startNs: bigint): OtlpRequest {
  const request = randomRequest(random, startNs);
  for (const span of spansOf(request)) span.traceId = traceIds[Math.floor(random() * traceIds.length)]!;
  return request;
}

describe('random requests', () => {
  test.each(PROTOCOLS)('over %s come out as they went in, wherever they lie', async (protocol) => {
    const random = createRandom(printedSeed(`round trip over ${protocol}`));
    await using node = await startNode();
    const traceIds = Array.from({ length: 60 }, () => randomBytes(random, 16));
    // Over three days, so that traces lie in several partitions.
    const requests = Array.from({ length: 80 }, () =>
      requestOfTraces(
        random,
        traceIds,
        nowNs - BigInt(Math.floor(random() * 3)) * 86_400_000_000_000n - 1_000_000_000n,
      ),
    );
    for (const [i, request] of requests.entries()) {
      expect(await sendTo(node, request, { protocol })).toBeUndefined();
      if (i === 20) await force(node, 'merge');
      if (i === 40) await force(node, 'flush');
    }
    await expectKept(node, requests);
  });

  test('one batch sent by every protocol, before and after each move, is shown once', async () => {
    const random = createRandom(printedSeed('the same batch again'));
    await using node = await startNode();
    const traceIds = Array.from({ length: 10 }, () => randomBytes(random, 16));
    const requests = Array.from({ length: 20 }, () => requestOfTraces(random, traceIds, nowNs - 2_000_000_000n));
    const sendAll = async (): Promise<void> => {
      for (const request of requests) for (const protocol of PROTOCOLS) await sendTo(node, request, { protocol });
    };
    await sendAll();
    await expectKept(node, requests);
    await sendAll();
    await expectKept(node, requests);
    const spans = requests.flatMap(spansOf).length;
    const ledger = await readLedger(node);
    expect(ledger['vt_storage_rows{type="storage/log"}']).toBe(0);
    await force(node, 'merge');
    expect((await readLedger(node))['vt_storage_rows{type="storage/part"}']).toBe(spans);
  });
});

test('spans that differ in one value only are both kept, also when it is only its type', async () => {
  await using node = await startNode();
  const values = [
    { intValue: 1n },
    { stringValue: '1' },
    { doubleValue: 1 },
    { boolValue: true },
    {},
    { stringValue: '' },
  ];
  const requests = values.map((value): OtlpRequest => {
    const span = {
      traceId: new Uint8Array(16).fill(7),
      spanId: new Uint8Array(8).fill(7),
      startTimeUnixNano: nowNs,
      name: 'x',
    };
    return { resourceSpans: [{ scopeSpans: [{ spans: [{ ...span, attributes: [attribute('k', value)] }] }] }] };
  });
  for (const request of [...requests, ...requests]) await sendTo(node, request);
  await expectKept(node, requests);
});
