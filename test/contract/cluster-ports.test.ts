// What the ports of a cluster do beyond those of a store: when a node is away, read-only, or holds spans that another has too. Real
// sockets and stores in this process; test/system/cluster.test.ts has the processes.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { GrpcCaller } from '../../src/cluster/grpc-caller.ts';
import { parseTenantsConfig } from '../../src/api/edge/tenant-limits.ts';
import type { TraceReader } from '../../src/trace/store.ts';
import { DEFAULT_TENANT, parseTenant } from '../../src/trace/tenant.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { waitFor } from '../support/role-process.ts';
import { root } from '../support/source-tree.ts';
import { ClusterPorts, LocalPorts, ServedStore } from '../support/store-ports.ts';
import { idOf, NOON_NS, requestOf, span } from '../block/scanned.ts';
import { ANY_TRACE } from '../query/made-store.ts';

const HOUR_AGO_NS = NOON_NS - 3_600_000_000_000n;
const call = { tenant: DEFAULT_TENANT };
const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one[Symbol.asyncDispose]();
});

async function openCluster(names: readonly string[], allowsPartial = false): Promise<ClusterPorts> {
  const ports = await ClusterPorts.open(names, { allowsPartial });
  opened.push(ports);
  return ports;
}

/** A request with one span of each of the traces. */
const bodyOf = (traces: readonly number[], spanNumber = 1): Uint8Array =>
  encodeRequest(
    requestOf(traces.map((trace) => span(spanNumber, { trace, startTimeUnixNano: NOON_NS + BigInt(trace) }))),
  );
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1);
const idsOf = (traces: readonly number[]): Uint8Array[] => traces.map((trace) => idOf(trace, 16));

test('a trace on several nodes is one trace, with each span once, as one store has it', async () => {
  const cluster = await openCluster(['a', 'b', 'c']);
  const reference = new LocalPorts();
  opened.push(reference);
  const bodies = [bodyOf([1, 2], 1), bodyOf([1], 2), bodyOf([1, 2], 3)];
  for (const [i, body] of bodies.entries()) {
    await reference.writer.write(call, body.slice());
    // The same spans on two nodes.
    for (const at of [i, (i + 1) % 3]) await cluster.nodes[at]!.ports.writer.write(call, body.slice());
  }
  const { traces } = await reference.reader.findTraces(call, idsOf([1, 2, 3]));
  const found = await cluster.reader.findTraces(call, idsOf([1, 2, 3]));
  expect(found.traces.map(({ otlp }) => Buffer.from(otlp))).toEqual(traces.map(({ otlp }) => Buffer.from(otlp)));
  expect(await cluster.reader.searchTraces(call, ANY_TRACE)).toEqual(
    await reference.reader.searchTraces(call, ANY_TRACE),
  );
});

test('a node that is away: an error with its name, or an answer that says so', { timeout: 120_000 }, async () => {
  const cluster = await openCluster(['a', 'b', 'c']);
  const traces = upTo(30);
  await cluster.writer.write(call, bodyOf(traces));
  const [away] = cluster.nodes;
  const kept = (await away!.ports.reader.hasTraces(call, idsOf(traces))).traceIds.length;
  expect(kept).toBeGreaterThan(0);
  await away!.leave();
  const ask = (allowsPartial?: boolean) => cluster.reader.searchTraces({ ...call, allowsPartial }, ANY_TRACE);
  await expect(ask()).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining('storage node a ('),
  });
  const partial = await ask(true);
  expect(partial.missing?.map(({ node }) => node)).toEqual(['a']);
  expect(partial.hits).toHaveLength(30 - kept);
  expect(cluster.cluster.state().partialAnswers).toBe(1);
  // Archiving must not keep half of a trace.
  await expect(cluster.archive.archiveTrace({ ...call, allowsPartial: true }, idOf(1, 16))).rejects.toMatchObject({
    code: 'UNAVAILABLE',
  });
  // Spans of its traces go to the next of the ranking.
  expect(await cluster.writer.write(call, bodyOf(traces, 2))).toEqual({ stored: 30, rejected: new Map() });
  await away!.open();
  await waitFor('the node to be up again', async () => {
    const { hits } = await ask().catch(() => ({ hits: [] }));
    return hits.length === 30;
  });
  const whole = await cluster.reader.findTraces(call, idsOf(traces));
  expect(whole.missing).toBeUndefined();
  expect(whole.traces).toHaveLength(30);
});

test('partial answers may be the rule, and a request may still ask for whole ones', async () => {
  const cluster = await openCluster(['a', 'b'], true);
  await cluster.nodes[1]!.leave();
  expect((await cluster.reader.listServices(call)).missing?.map(({ node }) => node)).toEqual(['b']);
  await expect(cluster.reader.listServices({ ...call, allowsPartial: false })).rejects.toMatchObject({
    code: 'UNAVAILABLE',
  });
  await cluster.nodes[0]!.leave();
  await expect(cluster.reader.listServices(call)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

test(
  'a read-only node gets no spans and is read; without any other nothing is acknowledged',
  { timeout: 120_000 },
  async () => {
    const cluster = await openCluster(['a', 'b']);
    await cluster.writer.write(call, bodyOf(upTo(20)));
    const [full, other] = cluster.nodes as [ClusterPorts['nodes'][0], ClusterPorts['nodes'][0]];
    const before = (await full.ports.storage.stats()).rowsStored;
    expect(before).toBeGreaterThan(0);
    full.isReadOnly = true;
    const state = () => cluster.cluster.state().nodes.find(({ node }) => node === 'a');
    await waitFor('the writer to know', () => state()?.isReadOnly === true);
    await cluster.writer.write(call, bodyOf(upTo(20), 2));
    expect((await full.ports.storage.stats()).rowsStored).toBe(before);
    expect((await cluster.reader.hasTraces(call, idsOf(upTo(20)))).traceIds).toHaveLength(20);
    other.isReadOnly = true;
    await waitFor('the writer to know', () => cluster.cluster.state().nodes.every(({ isReadOnly }) => isReadOnly));
    await expect(cluster.writer.write(call, bodyOf([1], 3))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'no storage node takes the spans (a: read-only; b: read-only); send them again',
    });
    expect(cluster.cluster.state().refused).toBe(1);
  },
);

/** What an answer about the calls of an hour says of its sums. */
async function warningsAt(reader: TraceReader, ns: bigint): Promise<readonly string[]> {
  const { warnings } = await reader.listDependencies(call, ns, ns);
  const query = { services: ['shop'], kinds: [], startNs: ns, endNs: ns, isByOperation: false };
  expect((await reader.listCallSeries(call, query)).warnings).toEqual(warnings);
  return warnings;
}

test('sums of an hour in which a node took spans in place of another say that they may be wrong', async () => {
  const cluster = await openCluster(['a', 'b']);
  await cluster.writer.write(call, bodyOf(upTo(20)));
  expect(await warningsAt(cluster.reader, NOON_NS)).toEqual([]);
  cluster.nodes[0]!.isReadOnly = true;
  await waitFor('the writer to know', () => cluster.cluster.state().nodes.some(({ isReadOnly }) => isReadOnly));
  // One slice is a call of Export, many at once are a call of several slices.
  // The other node gets its own spans and the strays of the first, under one key of the sender.
  expect((await cluster.writer.write(call, bodyOf(upTo(20), 2), 'k')).stored).toBe(20);
  const inHour = [expect.stringMatching(/^calls in the hour from \d{8} 12:00 UTC may be counted twice, or not: /)];
  expect(await warningsAt(cluster.reader, NOON_NS)).toEqual(inHour);
  expect(await warningsAt(cluster.reader, HOUR_AGO_NS)).toEqual([]);
  const hourAgo = (trace: number): Uint8Array =>
    encodeRequest(requestOf([span(3, { trace, startTimeUnixNano: HOUR_AGO_NS })]));
  await Promise.all(upTo(20).map((trace) => cluster.writer.write(call, hourAgo(trace))));
  expect(await warningsAt(cluster.reader, HOUR_AGO_NS)).toEqual([expect.stringMatching(/ 11:00 UTC may be counted/)]);
  // What shows spans shows each once, and says nothing.
  expect((await cluster.reader.findTraces(call, idsOf(upTo(20)))).warnings).toEqual([]);
  expect((await cluster.reader.searchTraces(call, ANY_TRACE)).warnings).toEqual([]);
});

test('two nodes that were given one name are both read', async () => {
  const cluster = await openCluster(['a', 'a']);
  await cluster.nodes[0]!.ports.writer.write(call, bodyOf([1]));
  await cluster.nodes[1]!.ports.writer.write(call, bodyOf([2]));
  expect((await cluster.reader.hasTraces(call, idsOf([1, 2]))).traceIds).toHaveLength(2);
});

test('requests that wait for a node go together', async () => {
  const cluster = await openCluster(['a', 'b']);
  const results = await Promise.all(upTo(200).map((trace) => cluster.writer.write(call, bodyOf([trace]))));
  expect(results.every(({ stored }) => stored === 1)).toBe(true);
  const { nodes } = cluster.cluster.state();
  expect(nodes.reduce((sum, { slices }) => sum + slices, 0)).toBe(200);
  expect(nodes.reduce((sum, { calls }) => sum + calls, 0)).toBeLessThan(60);
  expect((await cluster.reader.hasTraces(call, idsOf(upTo(200)))).traceIds).toHaveLength(200);
});

/** Requests as version 1 of the protocol writes them, by the method that takes them. */
const REQUESTS_OF_V1: Readonly<Record<string, string>> = {
  Describe: '',
  WriteSlices: 'WriteSlicesRequest',
  HasTraces: 'TraceIds',
  GetDependencies: 'DependenciesRequest',
  GetCallSeries: 'CallSeriesRequest',
  IsArchived: 'ArchiveRequest',
  ArchiveTrace: 'ArchiveRequest',
  DeleteArchived: 'ArchiveRequest',
};

test('a node answers the requests of version 1, also with fields of a later version', async () => {
  await using served = await new ServedStore('one').open();
  const caller = new GrpcCaller({ address: served.address });
  const lines = readFileSync(join(root, 'fixtures/cluster/v1.txt'), 'utf8').split('\n');
  const fixtures = new Map(lines.map((line) => line.split(' ') as [string, string]));
  const field1000 = Buffer.from('c23e026869', 'hex');
  try {
    for (const [method, name] of Object.entries(REQUESTS_OF_V1)) {
      const bytes = Buffer.from(name === '' ? '' : fixtures.get(name)!, 'hex');
      for (const message of [bytes, Buffer.concat([bytes, field1000])]) {
        const request = { path: `/tracelith.cluster.v1.StorageNode/${method}`, message };
        const isStream = method === 'GetCallSeries';
        const answer = isStream ? caller.stream(request, call, () => undefined) : caller.unary(request, call);
        await expect(answer, method).resolves.toBeDefined();
      }
    }
    // Its filter is no filter, which is the one thing that is refused.
    const search = {
      path: '/tracelith.cluster.v1.StorageNode/Search',
      message: Buffer.from(fixtures.get('SearchRequest')!, 'hex'),
    };
    await expect(caller.unary(search, call)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  } finally {
    caller.close();
  }
});

test('a limit of a tenant on a node refuses its spans, and keeps no other tenant from that node', async () => {
  const cluster = await openCluster(['a', 'b']);
  const limited = { tenant: parseTenant('7', '0') };
  for (const { tenants } of cluster.nodes) {
    tenants.configure(parseTenantsConfig('{"tenants":{"7":{"storedBytes":10},"8":{"retentionDays":0.01}}}'));
    tenants.countStored(new Map([[limited.tenant, 10]]));
  }
  // One slice is a call of Export, many at once are a call of several slices.
  for (const traces of [[1], upTo(20)]) {
    const sent = traces.map((trace) => cluster.writer.write(limited, bodyOf([trace])));
    for (const outcome of await Promise.allSettled(sent)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'TENANT_LIMIT' } });
      expect(String((outcome as PromiseRejectedResult).reason)).toContain('tenant 7:0 stores 10 bytes');
    }
  }
  await cluster.writer.write(call, bodyOf(upTo(20)));
  for (const { ports } of cluster.nodes) expect((await ports.storage.stats()).rowsStored).toBeGreaterThan(0);
  expect(cluster.cluster.state()).toMatchObject({ rerouted: 0, refused: 0, possiblyTwice: 0 });
  // The node's file decides what is late, too.
  const short = { tenant: parseTenant('8', '0') };
  const hourAgo = encodeRequest(requestOf(upTo(3).map((trace) => span(1, { trace, startTimeUnixNano: HOUR_AGO_NS }))));
  expect(await cluster.writer.write(short, hourAgo)).toEqual({
    stored: 0,
    rejected: new Map([['too_small_timestamp', 3]]),
  });
  expect((await cluster.writer.write(short, bodyOf(upTo(3)))).stored).toBe(3);
});
