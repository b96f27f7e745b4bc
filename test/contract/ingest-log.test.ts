// What every log must do (test/support/ingest-log-contract.ts), in a folder of this machine, and on three real nats-servers that sync each
// message; test/kafka/kafka-log.test.ts does it on Kafka.
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Child, findFreePort } from '../../native-bench/harness/child.ts';
import { hasNatsServer, NatsServers } from '../../native-bench/harness/nats-servers.ts';
import { systemClock } from '../../src/base/clock.ts';
import { parseConfig } from '../../src/config.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import type { IngestLog, LogDescription } from '../../src/ingest-log/ingest-log.ts';
import { JetStreamLog } from '../../src/ingest-log/jet-stream-log.ts';
import { LocalLog } from '../../src/ingest-log/local-log.ts';
import { openIngestLog } from '../../src/ingest-log/open-ingest-log.ts';
import { bytesOf, contract, PARTITIONS, take, textOf } from '../support/ingest-log-contract.ts';
import { hasOpenssl, MadeCertificates } from '../support/made-certificates.ts';
import { TemporaryFolder } from '../storage/open-store.ts';

describe('a folder', () => {
  const folder = new TemporaryFolder();
  afterAll(() => folder[Symbol.dispose]());
  contract(() => {
    const path = join(folder.path, randomUUID());
    return { open: () => new LocalLog({ path, disk: nodeDisk, clock: systemClock, partitions: PARTITIONS }) };
  });
});

describe.skipIf(!hasNatsServer())('NATS JetStream', () => {
  let nats: NatsServers;
  beforeAll(async () => {
    nats = await NatsServers.open();
  }, 120_000);
  afterAll(async () => await nats[Symbol.asyncDispose]());

  const open = (stream: string, more: object = {}): JetStreamLog =>
    new JetStreamLog({
      servers: nats.addresses.split(','),
      monitors: nats.monitorUrls.split(','),
      partitions: PARTITIONS,
      stream,
      create: { replicas: 3, retentionMs: 3_600_000 },
      ...more,
    });

  contract(() => {
    const stream = `test-${randomUUID()}`;
    return { open: () => open(stream) };
  });

  test('three replicas and servers that always sync are proved', { timeout: 60_000 }, async () => {
    const log = open('proved');
    expect(await log.describe()).toMatchObject({
      kind: 'jetstream',
      replicas: 3,
      fsyncBeforeAck: true,
      retentionMs: 3_600_000,
      retentionBytes: Infinity,
      problems: [],
    });
    await log.close();
  });

  test('a server that has proved it, and does not answer now, stops nothing', { timeout: 120_000 }, async () => {
    const log = open('proved');
    expect((await log.describe()).problems).toEqual([]);
    const [server] = nats.servers;
    server!.pause();
    try {
      // Where it leads, another one is elected first.
      const answer = async (): Promise<LogDescription> => await log.describe().catch(answer);
      expect((await answer()).problems).toEqual([]);
    } finally {
      server!.resume();
      await server!.waitUntilHealthy();
      await log.close();
    }
  });

  test('what is not proved is told, with a remedy', { timeout: 60_000 }, async () => {
    const log = open('single', { create: { replicas: 1, retentionMs: Infinity }, monitors: [] });
    const { problems, replicas, fsyncBeforeAck } = await log.describe();
    expect([replicas, fsyncBeforeAck]).toEqual([1, false]);
    expect(problems.join('\n')).toMatch(/stream single-0: 1 replica; `nats stream edit single-0 --replicas 3`/);
    expect(problems.join('\n')).toMatch(
      /no monitoring address proves that it syncs; name them all in -ingestLog.monitor/,
    );
    await log.close();
    const other = open('single', { partitions: 2 });
    expect((await other.describe()).problems.join('\n')).toMatch(/made for 3 partitions, -ingestLog.partitions is 2/);
    await other.close();
  });

  test('where messages were dropped, the log says where it begins', { timeout: 60_000 }, async () => {
    const log = open('dropped');
    for (const word of ['a', 'b', 'c']) await log.append(0, bytesOf(word), word);
    await nats.drop('dropped-0', 3);
    expect([await log.first(0), await log.last(0)]).toEqual([3n, 3n]);
    expect((await take(log, 0, 1n, 1)).map(textOf)).toEqual(['c']);
    await nats.drop('dropped-0', 4);
    expect([await log.first(0), await log.last(0)]).toEqual([4n, 3n]);
    await log.close();
  });

  test('streams that nobody made are not there', { timeout: 60_000 }, async () => {
    const log = open('unmade', { create: undefined });
    await expect(log.last(0)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await log.close();
  });

  test(
    'a stream that is deleted is made anew, as another one, while other messages are taken',
    { timeout: 120_000 },
    async () => {
      const log = open('deleted');
      await log.append(0, bytesOf('a'), 'a');
      const identity = await log.identify(0);
      await nats.delete('deleted-0');
      // As the guard asks, every minute.
      await expect(log.describe()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      const append = async (partition: number): Promise<bigint> =>
        await log.append(partition, bytesOf('b'), 'b').catch(() => 0n);
      await expect.poll(async () => (await append(1)) > 0n && (await append(0)) === 1n, { timeout: 60_000 }).toBe(true);
      expect(await log.identify(0)).not.toBe(identity);
      await log.close();
    },
  );

  test('servers that sync later are told', { timeout: 120_000 }, async () => {
    await using lazy = await NatsServers.open({ servers: 1, syncAlways: false });
    const log = open('lazy', {
      servers: [lazy.addresses],
      monitors: [lazy.monitorUrls],
      create: { replicas: 1, retentionMs: Infinity },
    });
    const { problems, fsyncBeforeAck } = await log.describe();
    expect(fsyncBeforeAck).toBe(false);
    expect(problems.join('\n')).toMatch(/server nats-1: it does not sync before it acknowledges; set jetstream/);
    await log.close();
  });

  test.skipIf(!hasOpenssl)(
    'over TLS, with a login; without either, or another authority, it does not answer',
    { timeout: 120_000 },
    async () => {
      using certificates = new MadeCertificates();
      using others = new MadeCertificates();
      using folder = new TemporaryFolder();
      const { certFile, keyFile } = certificates.make('DNS:localhost');
      const port = await findFreePort();
      const args = `--addr 127.0.0.1 --port ${port} --jetstream --store_dir ${folder.path} --tls --tlscert ${certFile} --tlskey ${keyFile}`;
      const server = await Child.start('nats-server', `${args} --user tracelith --pass hunter2`.split(' '));
      const openBy = (address: string, ...flags: readonly string[]): Promise<IngestLog> =>
        openIngestLog(
          parseConfig(
            [
              `-ingestLog=${address}`,
              '-ingestLog.nodes=1',
              '-ingestLog.partitions=1',
              '-ingestLog.replicas=1',
              ...flags,
            ],
            {},
          ),
          true,
        );
      const login = ['-ingestLog.username=tracelith', '-ingestLog.password=hunter2'];
      const ca = `-ingestLog.tlsCAFile=${certificates.caFile}`;
      const log = await openBy(`tls://localhost:${port}`, ca, ...login);
      try {
        await expect
          .poll(async () => await log.append(0, bytesOf('a'), 'a').catch(String), { timeout: 60_000 })
          .toBe(1n);
        const wrong = await Promise.all([
          openBy(`tls://localhost:${port}`, ca),
          openBy(`tls://localhost:${port}`, ca, login[0]!, '-ingestLog.password=other'),
          openBy(`tls://localhost:${port}`, `-ingestLog.tlsCAFile=${others.caFile}`, ...login),
          openBy(`tls://localhost:${port}`, ...login),
        ]);
        for (const one of wrong) {
          await expect(one.last(0)).rejects.toMatchObject({
            code: 'UNAVAILABLE',
            message: expect.not.stringContaining('hunter2'),
          });
          await one.close();
        }
        expect(await log.last(0)).toBe(1n);
      } finally {
        await log.close();
        await server.kill();
      }
    },
  );

  test(
    'a message that fills max_payload is read like others, also one that comes live',
    { timeout: 120_000 },
    async () => {
      await using large = await NatsServers.open({ servers: 1, maxPayload: '8MB' });
      const log = open('large', {
        servers: [large.addresses],
        monitors: [],
        create: { replicas: 1, retentionMs: Infinity },
      });
      await log.append(0, bytesOf('a'), 'a');
      const message = new Uint8Array(log.messageBytesMax).fill(7);
      await log.append(0, message, 'b');
      const sizes: number[] = [];
      for await (const { bytes } of log.read(0, 1n)) {
        sizes.push(bytes.length);
        // From now on a consumer reads.
        if (sizes.length === 2) await log.append(0, bytesOf('c'), 'c');
        if (sizes.length === 3) await log.append(0, message, 'd');
        if (sizes.length === 4) break;
      }
      expect(sizes).toEqual([1, message.length, 1, message.length]);
      await log.close();
    },
  );

  test('a log without servers does not answer, and does when they come', { timeout: 120_000 }, async () => {
    const gone = await NatsServers.open({ servers: 1 });
    const log = open('gone', {
      servers: [gone.addresses],
      monitors: [],
      create: { replicas: 1, retentionMs: Infinity },
    });
    await gone.servers[0]!.kill9();
    await expect(log.append(0, bytesOf('a'), 'a')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await gone.servers[0]!.start();
    await expect.poll(async () => await log.append(0, bytesOf('a'), 'a').catch(() => 0n), { timeout: 60_000 }).toBe(1n);
    await gone.servers[0]!.kill9();
    await expect(log.append(0, bytesOf('b'), 'b')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await gone.servers[0]!.start();
    await expect.poll(async () => await log.append(0, bytesOf('b'), 'b').catch(() => 0n), { timeout: 60_000 }).toBe(2n);
    await log.close();
    await gone[Symbol.asyncDispose]();
  });
});
