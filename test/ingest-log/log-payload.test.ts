// What a message of the log holds comes back, and nothing that was changed on the way passes.
import { expect, test } from 'vitest';
import {
  decodePayload,
  encodePayload,
  FOREIGN_ENCODINGS,
  payloadBytesMax,
  type LogSlice,
} from '../../src/ingest-log/log-payload.ts';
import { jaegerToRequest } from '../../src/otlp/jaeger-to-request.ts';
import { DEFAULT_TENANT, parseTenant } from '../../src/trace/tenant.ts';
import { encodeMessage } from '../support/jaeger-messages.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';
import { requestOf, span } from '../block/scanned.ts';

const TENANTS = [DEFAULT_TENANT, parseTenant('4294967295', '4294967295'), parseTenant('7', '0')];
const random = createRandom(printedSeed('log payload'));

const int = (below: number): number => Math.floor(random() * below);

function randomSlices(): LogSlice[] {
  return Array.from({ length: int(6) }, () => ({
    tenant: TENANTS[int(TENANTS.length)]!,
    body: Uint8Array.from({ length: int(3_000) }, () => int(int(2) === 0 ? 256 : 4)),
  }));
}

test('slices come back, in order, each with its tenant', () => {
  for (let i = 0; i < 50; i++) {
    const slices = randomSlices();
    const message = encodePayload(slices);
    expect(decodePayload(message).map(({ tenant, body }) => ({ tenant, body: new Uint8Array(body) }))).toEqual(slices);
    expect(message.length).toBeLessThanOrEqual(
      payloadBytesMax(
        slices.length,
        slices.reduce((sum, { body }) => sum + body.length, 0),
      ),
    );
  }
});

test('every flipped bit behind the first three bytes is noticed', () => {
  const message = encodePayload([{ tenant: DEFAULT_TENANT, body: Uint8Array.from({ length: 300 }, (_, n) => n % 7) }]);
  for (let bit = 24; bit < message.length * 8; bit++) {
    const damaged = message.slice();
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    expect(() => decodePayload(damaged), `bit ${bit}`).toThrow(/format|checksum/);
  }
  expect(() => decodePayload(message.subarray(0, message.length - 1))).toThrow(/checksum/);
});

test('a message of a later format is told from a damaged one', () => {
  const message = encodePayload([]);
  message[3] = 2;
  expect(() => decodePayload(message)).toThrow(expect.objectContaining({ code: 'FORMAT_TOO_NEW' }));
});

test('what other programs put there is one request of the default tenant', () => {
  const body = encodeRequest(requestOf([span(1)]));
  expect(decodePayload(body)).toEqual([{ tenant: DEFAULT_TENANT, body }]);
  expect(decodePayload(new Uint8Array(0))).toEqual([{ tenant: DEFAULT_TENANT, body: new Uint8Array(0) }]);
});

test('what another program wrote is read as the operator says, and what an insert node wrote is read always', () => {
  const own = encodePayload([{ tenant: parseTenant('1', '2'), body: new Uint8Array([1, 2]) }]);
  const json = Buffer.from('{"resourceSpans":[]}');
  const jaeger = encodeMessage('JaegerSpan', { traceId: Buffer.alloc(16, 1), spanId: Buffer.alloc(8, 2) });
  for (const encoding of FOREIGN_ENCODINGS) {
    expect(decodePayload(own, encoding)).toMatchObject([{ tenant: '1:2' }]);
    // The mark of another program's transaction.
    expect(decodePayload(new Uint8Array(0), encoding)).toEqual([{ tenant: DEFAULT_TENANT, body: new Uint8Array(0) }]);
  }
  expect(decodePayload(jaeger, 'otlp_proto')[0]!.body).toBe(jaeger);
  expect(decodePayload(json, 'otlp_json')).toEqual([{ tenant: '0:0', body: new Uint8Array(0) }]);
  expect(decodePayload(jaeger, 'jaeger_proto')[0]!.body).toEqual(jaegerToRequest(jaeger));
  for (const encoding of ['otlp_json', 'jaeger_proto'] as const)
    expect(() => decodePayload(new Uint8Array([0, 1, 2]), encoding)).toThrow(
      expect.objectContaining({ code: 'INVALID_REQUEST' }),
    );
});
