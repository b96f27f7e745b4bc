// The two bounds of the intake, at the socket.
import { describe, expect, test } from 'vitest';
import { decodeRpcStatus, encodeRequest } from '../../support/otlp-proto.ts';
import { parseRedactionConfig } from '../../../src/redaction/redaction-config.ts';
import { Redactor } from '../../../src/redaction/redactor.ts';
import { openEdgeServers, type RawResponse } from '../../support/edge-servers.ts';

const PROTOBUF = { 'content-type': 'application/x-protobuf' };
const protobuf = encodeRequest({ resourceSpans: [{}] });

describe('bounds', () => {
  test('bodies in flight above the budget are refused at once, and the budget comes back', async () => {
    await using small = await openEdgeServers({ intakeBytesMax: 60_000 });
    let open = (): void => undefined;
    small.store.gate = new Promise((resolve) => (open = resolve));
    const big = encodeRequest({ resourceSpans: [{ schemaUrl: 'x'.repeat(20_000) }] });
    const first = small.post(big, PROTOBUF);
    await expect.poll(() => small.store.attempts).toBe(1);
    const second = await small.post(big, PROTOBUF);
    expect([second.status, second.headers['retry-after'], decodeRpcStatus(second.body).message]).toEqual([
      429,
      '1',
      expect.stringMatching(
        /^requests of this tenant hold \d+ bytes, those of all \d+ of 60000: no room for \d+ more; try again$/,
      ),
    ]);
    const other = small.post(protobuf, { ...PROTOBUF, accountid: '7' });
    // There is room for another tenant.
    await expect.poll(() => small.store.attempts).toBe(2);
    open();
    expect([(await first).status, (await other).status]).toEqual([200, 200]);
    expect((await small.post(big, PROTOBUF)).status).toBe(200);
    expect(await small.metrics.render()).toContain('\ntracelith_intake_bytes 0\n');
  });

  test('requests beyond -maxConcurrentInserts wait in line and are told to come back after -insert.maxQueueDuration', async () => {
    await using small = await openEdgeServers({ flags: ['-maxConcurrentInserts=1', '-insert.maxQueueDuration=50ms'] });
    let open = (): void => undefined;
    small.store.gate = new Promise((resolve) => (open = resolve));
    const first = small.post(protobuf, PROTOBUF);
    await expect.poll(() => small.store.attempts).toBe(1);
    const second = await small.post(protobuf, PROTOBUF);
    expect([second.status, second.headers['retry-after']]).toEqual([503, '2']);
    expect(decodeRpcStatus(second.body).message).toBe(
      '1 requests (-maxConcurrentInserts) are being written and none finished within 50 ms; try again',
    );
    const text = await small.metrics.render();
    for (const line of ['vm_concurrent_insert_limit_reached_total 1', 'vm_concurrent_insert_limit_timeout_total 1']) {
      expect(text).toContain(`\n${line}\n`);
    }
    open();
    expect((await first).status).toBe(200);
    const several = await Promise.all([1, 2, 3].map(() => small.post(protobuf, PROTOBUF)));
    expect(several.map((response) => response.status)).toEqual([200, 200, 200]);
  });

  test('tenants take turns in the line', async () => {
    await using small = await openEdgeServers({ flags: ['-maxConcurrentInserts=1'] });
    let open = (): void => undefined;
    small.store.gate = new Promise((resolve) => (open = resolve));
    const sent: Promise<unknown>[] = [];
    for (const [n, accountid] of ['1', '1', '1', '1', '2', '3'].entries()) {
      sent.push(small.post(protobuf, { ...PROTOBUF, accountid }));
      const expected = n === 0 ? 'vm_concurrent_insert_current 1' : `tracelith_intake_waiting_requests ${n}`;
      await expect.poll(() => small.metrics.render()).toContain(`\n${expected}\n`);
    }
    open();
    await Promise.all(sent);
    expect(small.store.writes.map(({ tenant }) => tenant)).toEqual(['1:0', '1:0', '2:0', '3:0', '1:0', '1:0']);
  });

  test('a write without end is told to come back, keeps its slot while it lasts, and may be stored all the same', async () => {
    const flags = ['-insert.maxWriteDuration=50ms', '-maxConcurrentInserts=1', '-insert.maxQueueDuration=50ms'];
    await using slow = await openEdgeServers({ flags });
    let open = (): void => undefined;
    slow.store.gate = new Promise((resolve) => (open = resolve));
    const first = await slow.post(protobuf, PROTOBUF);
    expect([first.status, first.headers['retry-after'], decodeRpcStatus(first.body).message]).toEqual([
      503,
      '2',
      'the request was not written within 50 ms (-insert.maxWriteDuration); send it again, what is stored twice is shown once',
    ]);
    const second = await slow.post(protobuf, PROTOBUF);
    expect(decodeRpcStatus(second.body).message).toMatch(/^1 requests \(-maxConcurrentInserts\) are being written/);
    open();
    expect((await slow.post(protobuf, PROTOBUF)).status).toBe(200);
    expect(slow.store.writes).toHaveLength(2);
    expect(await slow.metrics.render()).toContain('\ntracelith_intake_bytes 0\n');
  });

  test('what redaction adds to a request counts, and it is written without what was taken out', async () => {
    const redactor = new Redactor();
    const rule = { name: 'names', values: 'x', action: 'mask', mask: 'y'.repeat(100) };
    redactor.configure(parseRedactionConfig(JSON.stringify({ rules: [rule] })), '');
    await using small = await openEdgeServers({ intakeBytesMax: 60_000, redactor });
    const named = (name: string): Promise<RawResponse> =>
      small.post(encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans: [{ name }] }] }] }), PROTOBUF);
    expect([(await named('x'.repeat(100))).status, (await named('x'.repeat(400))).status]).toEqual([200, 429]);
    expect(small.store.writes.map(({ body }) => body.includes(120) || !body.includes(121))).toEqual([false]);
    expect(await small.metrics.render()).toContain('\ntracelith_intake_bytes 0\n');
    small.metrics.watchRedactions(() => redactor.counts);
    expect(await small.metrics.render()).toContain('\ntracelith_redactions_total{rule="names"} 2\n');
  });

  test('a client that goes away in the middle of a body leaves nothing behind', async () => {
    await using small = await openEdgeServers();
    const controller = new AbortController();
    const body = new ReadableStream({ start: (stream) => stream.enqueue(new Uint8Array(500)) });
    const gone = fetch(small.url('/v1/traces'), {
      method: 'POST',
      headers: PROTOBUF,
      body,
      duplex: 'half',
      signal: controller.signal,
    } as RequestInit);
    await expect.poll(() => small.metrics.render()).toContain('tracelith_intake_bytes 16884');
    controller.abort();
    await expect(gone).rejects.toThrow();
    await expect.poll(() => small.metrics.render()).toContain('tracelith_intake_bytes 0');
    expect(small.store.attempts).toBe(0);
  });
});
