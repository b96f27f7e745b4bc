// Of each server with a replica it must be proved that it syncs; test/contract/ingest-log.test.ts asks real ones.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { StreamInfo } from '@nats-io/jetstream';
import { expect, test } from 'vitest';
import { fsyncProblems, Monitors } from '../../src/ingest-log/jet-stream-monitor.ts';

/** What of a stream's state is looked at. */
function streamOf(
  leader: string,
  replicas: readonly { readonly name: string; readonly offline?: boolean }[] = [],
): StreamInfo {
  return { cluster: { leader, replicas } } as unknown as StreamInfo;
}

const server = (name: string | undefined, syncsAlways = true) => ({
  address: `http://${name ?? 'silent'}`,
  name,
  syncsAlways,
});

test('every server with a replica must sync', () => {
  const streams = [streamOf('a', [{ name: 'b' }, { name: 'c' }]), streamOf('b', [{ name: 'a' }])];
  expect(
    fsyncProblems(
      streams,
      ['a', 'b', 'c'].map((name) => server(name)),
    ),
  ).toEqual([]);
  expect(fsyncProblems(streams, [server('a'), server('b', false), server('c')])).toEqual([
    'server b: it does not sync before it acknowledges; set jetstream { sync_interval: always }',
  ]);
  expect(fsyncProblems(streams, [server('a'), server('b'), server(undefined)])).toEqual([
    'server c: no monitoring address proves that it syncs (http://silent do not answer); name them all in -ingestLog.monitor',
  ]);
});

test('one that is away is passed over, and so are servers without a replica', () => {
  const streams = [streamOf('a', [{ name: 'b' }, { name: 'c', offline: true }])];
  expect(fsyncProblems(streams, [server('a'), server('b'), server(undefined), server('d', false)])).toEqual([]);
});

test('a stream that names no server proves nothing', () => {
  expect(fsyncProblems([{} as StreamInfo], [server('a')])).toHaveLength(1);
});

test('addresses that answer nothing, or something else, have no name', async () => {
  const other = createServer((_request, response) => response.end('<html>')).listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  const address = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  try {
    expect(await new Monitors([address, 'http://127.0.0.1:1']).ask(5_000)).toEqual([
      { address, name: undefined, syncsAlways: false },
      { address: 'http://127.0.0.1:1', name: undefined, syncsAlways: false },
    ]);
  } finally {
    other.close();
  }
});

test('what a server said last stands for a while when it does not answer, and is replaced when it does', async () => {
  const said = { syncs: true };
  const monitor = createServer((_request, response) =>
    response.end(JSON.stringify({ server_name: 'a', jetstream: { config: { sync_always: said.syncs } } })),
  ).listen(0, '127.0.0.1');
  await new Promise((resolve) => monitor.once('listening', resolve));
  const address = `http://127.0.0.1:${(monitor.address() as AddressInfo).port}`;
  const [patient, strict] = [new Monitors([address]), new Monitors([address], -1)];
  for (const monitors of [patient, strict]) expect(await monitors.ask(5_000)).toMatchObject([{ syncsAlways: true }]);
  said.syncs = false;
  expect(await patient.ask(5_000)).toMatchObject([{ name: 'a', syncsAlways: false }]);
  said.syncs = true;
  await patient.ask(5_000);
  monitor.closeAllConnections();
  await new Promise((resolve) => monitor.close(resolve));
  expect(await patient.ask(5_000)).toEqual([{ address, name: 'a', syncsAlways: true }]);
  expect(await strict.ask(5_000)).toEqual([{ address, name: undefined, syncsAlways: false }]);
});
