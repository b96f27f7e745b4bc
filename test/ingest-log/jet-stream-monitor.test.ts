// Of each server with a replica it must be proved that it syncs; test/contract/ingest-log.test.ts asks real ones.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { StreamInfo } from '@nats-io/jetstream';
import { expect, test } from 'vitest';
import { askMonitors, fsyncProblems } from '../../src/ingest-log/jet-stream-monitor.ts';

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
    expect(await askMonitors([address, 'http://127.0.0.1:1'], 5_000)).toEqual([
      { address, name: undefined, syncsAlways: false },
      { address: 'http://127.0.0.1:1', name: undefined, syncsAlways: false },
    ]);
  } finally {
    other.close();
  }
});
