// Two zones of storage nodes behind a log, of which some are away or behind: who answers, and what the answer says.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { LogPorts } from '../support/log-ports.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { waitFor } from '../support/role-process.ts';
import { idOf, NOON_NS, requestOf, span } from '../block/scanned.ts';

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

test(
  'a zone of another size joins, and can answer alone: nothing is counted twice meanwhile',
  { timeout: 120_000 },
  async () => {
    const grown = [0, 1, 2].map((ordinal) => ({ zone: 'c', ordinal, nodes: 3 }));
    await using larger = await LogPorts.open(grown);
    const nodes = larger.nodes;
    for (const node of nodes.slice(4)) await node.pause();
    const traces = Array.from({ length: 40 }, (_, n) => n + 1);
    const root = (trace: number) => span(1, { trace, kind: 3 });
    const child = (trace: number) => ({ ...span(2, { trace, kind: 2 }), parentSpanId: span(1).spanId! });
    const request = {
      resourceSpans: [
        ...requestOf(traces.map(root), 'front').resourceSpans!,
        ...requestOf(traces.map(child), 'back').resourceSpans!,
      ],
    };
    await larger.writer.write(call, encodeRequest(request));
    const links = async () => {
      const found = await larger.reader.listDependencies(call, NOON_NS, NOON_NS + 1n);
      return { links: found.links, warnings: found.warnings };
    };
    const expected = { links: [{ parent: 'front', child: 'back', callCount: 40, errorCount: 0 }], warnings: [] };
    // The new zone is empty yet.
    expect(await links()).toEqual(expected);
    for (const node of nodes.slice(4)) await node.read();
    await waitFor('the new zone to have read the log', () =>
      nodes.slice(4).every(({ served }) => Object.values(served.log!.place().consumed).every((offset) => offset > 0n)),
    );
    for (let i = 0; i < 3; i++) expect(await links()).toEqual(expected);
    for (const { served } of nodes.slice(0, 4)) await served.leave();
    await waitFor(
      'the old zones to be missed',
      async () => (await larger.reader.listServices(call).catch(() => undefined)) !== undefined,
    );
    expect(await links()).toEqual(expected);
    expect(
      (
        await larger.reader.hasTraces(
          call,
          traces.map((trace) => idOf(trace, 16)),
        )
      ).traceIds,
    ).toHaveLength(40);
  },
);
