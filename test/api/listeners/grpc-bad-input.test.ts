// Hostile bytes at every gRPC method: whatever is sent is answered by the sender's fault or by an answer, never by ours, and
// the server goes on. Messages that are valid are broken, lengthened, nested and filled with odd values; a seed reproduces a run.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client, credentials, status, type ServiceError } from '@grpc/grpc-js';
import { ByteWriter } from '../../../src/bytes/byte-writer.ts';
import { openGrpcListener, type GrpcListener } from '../../support/grpc-listener.ts';
import { createRandom, printedSeed, type Random } from '../../support/random-request.ts';
import { RICH_TRACE } from '../../support/rich-trace.ts';

const METHODS: Readonly<Record<string, readonly string[]>> = {
  'jaeger.storage.v2.TraceReader': [
    'GetTraces',
    'GetServices',
    'GetOperations',
    'FindTraces',
    'FindTraceIDs',
    'FindTraceSummaries',
  ],
  'jaeger.storage.v2.DependencyReader': ['GetDependencies'],
  'jaeger.storage.v2.Capabilities': ['GetCapabilities'],
  'jaeger.api_v3.QueryService': [
    'GetTrace',
    'FindTraces',
    'GetServices',
    'GetOperations',
    'FindTraceSummaries',
    'GetDependencies',
  ],
  'jaeger.api_v2.QueryService': ['GetTrace', 'FindTraces', 'GetServices', 'GetOperations', 'GetDependencies'],
  'jaeger.api_v2.metrics.MetricsQueryService': ['GetLatencies', 'GetCallRates', 'GetErrorRates', 'GetMinStepDuration'],
  'grpc.health.v1.Health': ['Check', 'List'],
};
const PATHS = Object.entries(METHODS).flatMap(([service, names]) => names.map((name) => `/${service}/${name}`));
/** Nothing here is the server's fault. */
const THEIRS = [status.OK, status.INVALID_ARGUMENT, status.NOT_FOUND, status.RESOURCE_EXHAUSTED];

let listener: GrpcListener;
let client: Client;
beforeAll(async () => {
  listener = await openGrpcListener();
  listener.reader.add(RICH_TRACE);
  client = new Client(listener.address, credentials.createInsecure());
});
afterAll(async () => {
  client.close();
  await listener[Symbol.asyncDispose]();
});

const asIs = (bytes: Buffer): Buffer => bytes;

/** The status of a call; every method can be called as a stream. */
function statusOf(path: string, body: Buffer): Promise<{ code: number; details: string }> {
  return new Promise((resolve) => {
    const stream = client.makeServerStreamRequest(path, asIs, asIs, body);
    stream.on('data', () => undefined);
    stream.on('error', (error: ServiceError) => resolve(error));
    stream.on('status', resolve);
  });
}

const int = (random: Random, below: number): number => Math.floor(random() * below);

/** A message of random fields up to number 10, with lengths that are mostly right. */
function randomMessage(random: Random, depth: number): Buffer {
  const parts: Buffer[] = [];
  for (let i = int(random, 4); i >= 0; i--) {
    const wire = [0, 1, 2, 2, 2, 2, 5, 3, 7][int(random, 9)]!;
    parts.push(Buffer.from([(1 + int(random, 10)) * 8 + wire]));
    if (wire === 0)
      parts.push(Buffer.from([[1], [0x80, 1], [255, 255, 255, 255, 255, 255, 255, 255, 255, 1]][int(random, 3)]!));
    if (wire === 1) parts.push(Buffer.alloc(8, int(random, 256)));
    if (wire === 5) parts.push(Buffer.alloc(4, int(random, 256)));
    if (wire !== 2) continue;
    const body =
      depth > 0 && int(random, 3) > 0
        ? randomMessage(random, depth - 1)
        : Buffer.alloc(int(random, 20), int(random, 256));
    const size = Math.min(body.length + (int(random, 30) === 0 ? 5 : 0), 16_000);
    parts.push(Buffer.from(size < 128 ? [size] : [(size & 127) | 128, size >> 7]), body.subarray(0, size));
  }
  return Buffer.concat(parts);
}

test('random messages at every method', async () => {
  const random = createRandom(printedSeed('grpc-bad-input'));
  const codes = new Map<number, number>();
  for (let round = 0; round < 60; round++) {
    const bodies = PATHS.map((path) => [path, randomMessage(random, 4)] as const);
    const answers = await Promise.all(bodies.map(([path, body]) => statusOf(path, body)));
    answers.forEach(({ code, details }, i) => {
      codes.set(code, (codes.get(code) ?? 0) + 1);
      const [path, body] = bodies[i]!;
      expect(THEIRS, `${path} ${body.toString('hex')}: ${code} ${details}`).toContain(code);
    });
  }
  // Both ends are reached: what is refused, and what is answered.
  expect(codes.get(status.INVALID_ARGUMENT)).toBeGreaterThan(100);
  expect(codes.get(status.OK)).toBeGreaterThan(100);
}, 60_000);

/** The fields `fields` in one another, outermost first, `times` over. */
function nest(fields: readonly number[], times = 1, body: Uint8Array = new Uint8Array(0)): Uint8Array {
  const heads: Uint8Array[] = [];
  let length = body.length;
  for (let i = fields.length * times - 1; i >= 0; i--) {
    const out = new ByteWriter(16);
    out.tag(fields[i % fields.length]!, 2);
    out.varint(length);
    heads.push(out.take());
    length += heads.at(-1)!.length;
  }
  return Buffer.concat([...heads.reverse(), body]);
}

const SEARCH = '/jaeger.storage.v2.TraceReader/FindTraces';
const NAMES = '/jaeger.storage.v2.TraceReader/GetServices';
const INVALID = status.INVALID_ARGUMENT;
// query → attributes → value: {kvlist_value → values → value}, {array_value → values}; filter → {args → call}.
test.each([
  ['a map nested 10,000 deep', SEARCH, nest([1, 3, 2], 1, nest([6, 1, 2], 10_000)), INVALID],
  ['a list nested 10,000 deep', SEARCH, nest([1, 3, 2], 1, nest([5, 1], 10_000)), INVALID],
  ['a filter nested 10,000 deep', SEARCH, nest([1, 9], 1, nest([2, 6], 10_000)), INVALID],
  ['400,000 attributes', SEARCH, nest([1], 1, Buffer.alloc(800_000, Buffer.from([0x1a, 0]))), INVALID],
  ['500,000 ids', '/jaeger.storage.v2.TraceReader/GetTraces', Buffer.alloc(1_000_000, Buffer.from([0x0a, 0])), INVALID],
  ['a question of 2 MB', SEARCH, nest([1, 1], 1, Buffer.alloc(2_000_000, 'x')), status.RESOURCE_EXHAUSTED],
] as const)('%s is refused, and the next question is answered', async (_what, path, body, expected) => {
  const { code, details } = await statusOf(path, Buffer.from(body));
  expect([code, details]).toEqual([expected, expect.any(String)]);
  expect(details.length).toBeLessThan(1_000);
  expect((await statusOf(NAMES, Buffer.alloc(0))).code).toBe(status.OK);
});
