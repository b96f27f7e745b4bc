// The network between the servers of the log is cut, and that to their clients is not: a leader on the wrong side of the cut tells no
// end that is too early, and clients do not stay with its server.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasNatsServer, NatsServers } from '../../native-bench/harness/nats-servers.ts';
import { isStoreError } from '../../src/base/errors.ts';
import { JetStreamLog } from '../../src/ingest-log/jet-stream-log.ts';
import { LinkProxy } from '../support/link-proxy.ts';
import { waitFor } from '../support/role-process.ts';

const STREAM = 'cut';
/** Enough that all of them take the same of two servers once in a million runs. */
const CLIENTS = 20;
/** Insert and select nodes ask for an end; a storage node begins again with the identity when it gets none. */
const WAYS: readonly ((log: JetStreamLog) => Promise<bigint>)[] = [
  async (log) => await log.last(0),
  async (log) => {
    await log.identify(0);
    return await log.last(0);
  },
];

describe.skipIf(!hasNatsServer())('a server of the log that is cut off from the others', () => {
  /** Between two servers; of clients to each. */
  const routes: { readonly ends: readonly number[]; readonly link: LinkProxy }[] = [];
  const doors: LinkProxy[] = [];
  let nats: NatsServers;
  beforeAll(async () => {
    nats = await NatsServers.open({
      through: async (address) => {
        const link = await LinkProxy.open(address);
        doors.push(link);
        return link.address;
      },
      routeThrough: async (address, from, to) => {
        const link = await LinkProxy.open(address);
        routes.push({ ends: [from, to], link });
        return link.address;
      },
    });
  }, 120_000);
  afterAll(async () => {
    await nats?.[Symbol.asyncDispose]();
    for (const link of [...doors, ...routes.map((route) => route.link)]) await link[Symbol.asyncDispose]();
  });

  const logAt = async (servers: readonly string[]): Promise<JetStreamLog> => {
    const log = new JetStreamLog({
      servers,
      partitions: 1,
      stream: STREAM,
      monitors: [],
      create: { replicas: 3, retentionMs: Infinity },
    });
    await waitFor('an end', async () => (await asked(() => log.last(0))) !== undefined);
    return log;
  };
  /** undefined: the log did not answer. */
  const asked = async (call: () => Promise<bigint>): Promise<bigint | undefined> => {
    try {
      return await call();
    } catch (error) {
      if (!isStoreError(error, 'UNAVAILABLE')) throw error;
      return undefined;
    }
  };

  test.for(['silent', 'cut'] as const)(
    'its leader by links that are %s: no end is too early, and its clients go to the other servers',
    { timeout: 300_000 },
    async (state) => {
      const all = nats.servers.map(({ address }) => address);
      await (await logAt(all)).close();
      const leader = nats.servers.indexOf(await nats.leaderOf(`${STREAM}-0`));
      // They know all servers, and begin with the leader.
      for (const [server, door] of doors.entries()) door.set(server === leader ? 'open' : 'cut');
      const here = await Promise.all(Array.from({ length: CLIENTS }, async () => await logAt(all)));
      for (const door of doors) door.set('open');
      const there = await logAt(all.filter((_, server) => server !== leader));
      try {
        for (const { ends, link } of routes) if (ends.includes(leader)) link.set(state);
        let written = 0n;
        let appended = 0;
        const isSeen = async (): Promise<boolean> => {
          written = (await asked(() => there.append(0, Buffer.from('x'), `${state}-${appended++}`))) ?? written;
          const ends = await Promise.all(here.map(async (log, n) => await asked(() => WAYS[n % WAYS.length]!(log))));
          for (const end of ends) if (end !== undefined) expect(end).toBeGreaterThanOrEqual(written);
          return written > 0n && !ends.includes(undefined);
        };
        await waitFor('the other side to take messages, and this one to know of them', isSeen);
        const append = async (): Promise<bigint | undefined> =>
          await asked(() => here[0]!.append(0, Buffer.from('y'), state));
        await waitFor('a message to be taken from here', async () => (await append()) !== undefined);
        for (const server of nats.servers.filter((_, n) => n !== leader)) {
          const { connections } = (await server.ask('/varz')) as { readonly connections: number };
          // One may be of the log on the other side.
          expect(connections, server.name).toBeGreaterThan(1);
        }
      } finally {
        for (const { link } of routes) link.set('open');
        for (const log of [...here, there]) await log.close();
      }
      for (const server of nats.servers) await server.waitUntilHealthy();
    },
  );
});
