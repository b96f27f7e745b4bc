// The servers that the tests of the ingest log stand on: real ones, in a cluster, and any of them may be away.
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { expect, test } from 'vitest';
import { hasNatsServer, NatsServers } from '../../native-bench/harness/nats-servers.ts';

const MESSAGES = 20;
/** One attempt; an election takes several. */
const ATTEMPT_MS = 1_000;

interface Varz {
  readonly jetstream: { readonly config: { readonly sync_always?: boolean } };
}

test.skipIf(!hasNatsServer())(
  'writes resume when the leader is killed or stopped, and each message is there once when all have restarted',
  { timeout: 300_000 },
  async () => {
    await using nats = await NatsServers.open();
    for (const server of nats.servers) {
      expect(((await server.ask('/varz')) as Varz).jetstream.config.sync_always).toBe(true);
    }
    const client = await connect({
      servers: nats.addresses.split(','),
      maxReconnectAttempts: -1,
      reconnectTimeWait: 100,
    });
    try {
      const manager = await jetstreamManager(client);
      await manager.streams.add({ name: 'TEST', subjects: ['test'], num_replicas: 3 });
      let sent = 0;
      const append = async (): Promise<void> => {
        for (let acknowledged = 0; acknowledged < MESSAGES; acknowledged++) await appendOne(sent++);
      };
      const log = jetstream(client, { timeout: ATTEMPT_MS });
      /** Again and again until it is acknowledged; its id makes the repetitions harmless. */
      const appendOne = async (n: number): Promise<void> =>
        await log.publish('test', `message ${n}`, { msgID: String(n) }).then(
          () => undefined,
          async () => await appendOne(n),
        );
      await append();
      const killed = await nats.leaderOf('TEST');
      await killed.kill9();
      await append();
      expect((await nats.leaderOf('TEST')).name).not.toBe(killed.name);
      await killed.start();
      await killed.waitUntilHealthy();
      const stopped = await nats.leaderOf('TEST');
      stopped.pause();
      await append();
      stopped.resume();
      await stopped.waitUntilHealthy();
      for (const server of nats.servers) await server.kill9();
      await Promise.all(nats.servers.map(async (server) => await server.start()));
      await append();
      expect((await manager.streams.info('TEST')).state.messages).toBe(sent);
    } finally {
      await client.close();
    }
  },
);
