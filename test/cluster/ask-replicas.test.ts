// Two zones of storage nodes behind a log, of which some are away or behind: who answers, and what the answer says.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { LogPorts } from '../support/log-ports.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { waitFor } from '../support/role-process.ts';
import { idOf, requestOf, span } from '../block/scanned.ts';

const call = { tenant: DEFAULT_TENANT };
let ports: LogPorts;
beforeAll(async () => {
  ports = await LogPorts.open();
});
afterAll(async () => await ports[Symbol.asyncDispose]());

let made = 0;

/** Writes a span of each of 20 new traces; returns their ids. */
async function write(): Promise<Uint8Array[]> {
  const traces = Array.from({ length: 20 }, () => ++made);
  await ports.writer.write(call, encodeRequest(requestOf(traces.map((trace) => span(1, { trace })))));
  return traces.map((trace) => idOf(trace, 16));
}

test('what was acknowledged is seen at once, and nothing is lacking', { timeout: 60_000 }, async () => {
  for (let round = 0; round < 10; round++) {
    const ids = await write();
    const { traceIds, ...marked } = await ports.reader.hasTraces(call, ids);
    expect([traceIds.length, marked]).toEqual([ids.length, { warnings: [] }]);
  }
});

test(
  'a node that lags is waited for, then the other zone answers; are both behind, the answer says so',
  { timeout: 60_000 },
  async () => {
    const [a0, , b0] = ports.nodes;
    await a0!.pause();
    const before = ports.replicas.counters.hedged;
    const ids = await write();
    for (let i = 0; i < 2; i++) {
      const found = await ports.reader.hasTraces(call, ids);
      expect([found.traceIds.length, found.warnings]).toEqual([ids.length, []]);
    }
    expect(ports.replicas.counters.hedged).toBeGreaterThan(before);
    await b0!.pause();
    const later = await write();
    const short = await ports.reader.hasTraces(call, later);
    expect(short.traceIds.length).toBeLessThan(later.length);
    expect(short.missing).toBeUndefined();
    // Of the two, the one that has the messages in between.
    expect(short.warnings.length).toBeGreaterThan(0);
    for (const warning of short.warnings)
      expect(warning).toMatch(
        /^partition [024] is 1 messages \(1 s\) behind the log on every storage node: its newest spans are missing$/,
      );
    await a0!.read();
    await waitFor('a0 to catch up', async () => (await ports.reader.hasTraces(call, later)).warnings.length === 0);
    expect((await ports.reader.hasTraces(call, [...ids, ...later])).traceIds).toHaveLength(40);
    await b0!.read();
  },
);

test(
  'a node that is away is not missed; is its twin away too, the question fails with both names',
  { timeout: 60_000 },
  async () => {
    const [, a1, , b1] = ports.nodes;
    const ids = await write();
    await a1!.served.leave();
    for (let i = 0; i < 4; i++) expect((await ports.reader.hasTraces(call, ids)).traceIds).toHaveLength(ids.length);
    await b1!.served.leave();
    await expect(ports.reader.hasTraces(call, ids)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/storage node (a1 .*b1|b1 .*a1)/),
    });
    const partial = await ports.reader.hasTraces({ ...call, allowsPartial: true }, ids);
    expect(partial.missing?.map(({ node }) => node)).toEqual(['a1', 'b1']);
    expect(partial.traceIds.length).toBeGreaterThan(0);
    await a1!.served.open();
    await b1!.served.open();
    await waitFor('both to be up again', async () => {
      const found = await ports.reader.hasTraces(call, ids).catch(() => undefined);
      return found?.traceIds.length === ids.length;
    });
  },
);
