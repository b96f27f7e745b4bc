// What of the log becomes one commit: what follows without a hole, a few MiB of requests; and a request for each tenant.
import { expect, test } from 'vitest';
import { byTenant, takeUnit } from '../../src/ingest-log/commit-units.ts';
import type { LogMessage } from '../../src/ingest-log/ingest-log.ts';
import { encodePayload } from '../../src/ingest-log/log-payload.ts';
import type { Tenant } from '../../src/trace/tenant.ts';

const [A, B] = ['1:0', '2:0'] as [Tenant, Tenant];
const MIB = 1 << 20;

function messageOf(offset: bigint, bytes: number): LogMessage {
  const body = new Uint8Array(bytes);
  return { offset, id: undefined, timeMs: 0, bytes: encodePayload([{ tenant: A, body }]) };
}

const offsetsOf = (messages: readonly LogMessage[], at = 0): bigint[] =>
  takeUnit(messages, at).map(({ offset }) => offset);

test('messages that follow each other are one unit, up to a hole', () => {
  const messages = [3n, 4n, 6n, 7n].map((offset) => messageOf(offset, 10));
  expect(offsetsOf(messages)).toEqual([3n, 4n]);
  expect(offsetsOf(messages, 2)).toEqual([6n, 7n]);
});

test('a unit has four MiB of requests at most, counted as they are before compression, or one message', () => {
  const messages = [1n, 2n, 3n, 4n].map((offset, i) => messageOf(offset, (i === 2 ? 6 : 2) * MIB - 100));
  expect(messages[0]!.bytes.length).toBeLessThan(MIB);
  expect(offsetsOf(messages)).toEqual([1n, 2n]);
  expect(offsetsOf(messages, 2)).toEqual([3n]);
});

test('the bodies of a tenant are joined in their order, apart from those that are not accepted yet', () => {
  const body = (byte: number): Uint8Array => Uint8Array.of(byte);
  const requests = byTenant([
    { tenant: A, body: body(1), isAccepted: true },
    { tenant: B, body: body(2), isAccepted: true },
    { tenant: A, body: body(3), isAccepted: true },
    { tenant: A, body: body(4) },
  ]);
  expect(requests).toEqual([
    { tenant: A, body: Uint8Array.of(1, 3), isAccepted: true },
    { tenant: B, body: body(2), isAccepted: true },
    { tenant: A, body: body(4) },
  ]);
});
