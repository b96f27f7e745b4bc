import { expect, test } from 'vitest';
import { parseConfig } from '../../src/config.ts';
import { openIngestLog, ordinalOf, partitionsOf } from '../../src/ingest-log/open-ingest-log.ts';

const config = (...flags: readonly string[]) => parseConfig(['-ingestLog=nats://h:4222', ...flags], {});

test('a node knows its number from the flag, or from its host name', () => {
  expect(ordinalOf(config('-ingestLog.nodes=3'), 'tracelith-storage-a-2')).toBe(2);
  expect(ordinalOf(config('-ingestLog.nodes=3', '-ingestLog.ordinal=0'), 'tracelith-storage-a-2')).toBe(0);
  const refused =
    (host: string, ...flags: readonly string[]) =>
    (): unknown =>
      ordinalOf(config(...flags), host);
  expect(refused('laptop', '-ingestLog.nodes=3')).toThrow(
    /the host name "laptop" does not end in -NUMBER; say which of the 3/,
  );
  expect(refused('storage-3', '-ingestLog.nodes=3')).toThrow(/3 is none of 3 storage nodes, from 0/);
  expect(refused('storage-3', '-ingestLog.nodes=5', '-ingestLog.partitions=4')).toThrow(
    /a node would have nothing to read/,
  );
});

test('the nodes of a zone read each partition once', () => {
  for (const [partitions, nodes] of [
    [16, 1],
    [16, 3],
    [7, 7],
    [5, 2],
  ] as const) {
    const all = Array.from({ length: nodes }, (_, ordinal) => partitionsOf(partitions, ordinal, nodes)).flat();
    expect(all.toSorted((x, y) => x - y)).toEqual(Array.from({ length: partitions }, (_, partition) => partition));
  }
});

test('a log connects with the first call, and not before', async () => {
  const log = await openIngestLog(config('-ingestLog.nodes=1', '-ingestLog.partitions=4'), false);
  expect(log.partitions).toBe(4);
  await log.close();
  await expect(log.last(0)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});
