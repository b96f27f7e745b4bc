// Whatever clients do with their connections: a good client is served, nothing acknowledged is lost, SIGTERM ends the node
// by its deadline with status 0, and idle sockets take no file from the store.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findFreePort } from '../../native-bench/harness/child.ts';
import { exportTrace, PROTOCOLS, readMetrics, sendTo } from '../support/node-client.ts';
import { runProgram, startNode, withOpenFiles, type TestNode } from '../support/node-process.ts';
import { oneSpan } from '../support/one-span.ts';
import { RUDE_ACTS, RudeClients, type Ports } from '../support/rude-clients.ts';

function portsOf(node: TestNode): Ports {
  const port = (address: string): number => Number(address.split(':')[1]);
  return {
    http: node.httpPort,
    otlpHttp: Number(new URL(node.otlpUrl).port),
    otlpGrpc: port(node.grpcAddress),
    grpc: port(node.jaegerAddress),
  };
}

/** Sends traces over every protocol; returns their ids, each acknowledged. */
async function sendTraces(node: TestNode, first: number): Promise<string[]> {
  const ids: string[] = [];
  for (const [i, protocol] of PROTOCOLS.entries()) {
    await sendTo(node, oneSpan(first + i), { protocol });
    ids.push((first + i).toString(16));
  }
  return ids;
}

async function expectThere(node: TestNode, ids: readonly string[]): Promise<void> {
  for (const id of ids) expect(await exportTrace(node, id), `trace ${id}`).toBeDefined();
}

test('rude clients of every kind in any order: a good one is served, and SIGTERM ends with status 0', async () => {
  const flags = ['-http.maxGracefulShutdownDuration=500ms', '-shutdownTimeout=2s'];
  const acts = fc.array(fc.constantFrom(...Object.keys(RUDE_ACTS)), { minLength: 1, maxLength: 12 });
  let first = 1;
  await fc.assert(
    fc.asyncProperty(acts, async (schedule) => {
      await using node = await startNode({ flags });
      using rude = new RudeClients();
      const acknowledged: string[] = [];
      for (const act of schedule) {
        await rude.do(act, portsOf(node));
        acknowledged.push(...(await sendTraces(node, first)));
        first += PROTOCOLS.length;
      }
      await expectThere(node, acknowledged);
      expect(await node.stop('SIGTERM')).toBe(0);
      await node.start();
      await expectThere(node, acknowledged);
    }),
    { numRuns: 4, endOnFailure: true },
  );
}, 120_000);

test('a second signal ends the node at once, whatever the first one waits for', async () => {
  await using node = await startNode({ flags: ['-http.maxGracefulShutdownDuration=1h', '-shutdownTimeout=1h'] });
  using rude = new RudeClients();
  await rude.do('a slow upload', portsOf(node));
  const ids = await sendTraces(node, 1);
  process.kill(node.pid, 'SIGTERM');
  await expect.poll(() => node.log()).toContain(' closing signal=SIGTERM');
  expect(await node.stop('SIGINT')).not.toBe(0);
  expect(node.log()).toContain(' killed while closing signal=SIGINT');
  await node.start();
  await expectThere(node, ids);
});

const FLAGS: Readonly<Record<keyof Ports, string>> = {
  http: 'httpListenAddr',
  otlpHttp: 'otlpHTTPListenAddr',
  otlpGrpc: 'otlpGRPCListenAddr',
  grpc: 'grpc.listenAddr',
};
/** Listeners that a node has only when it is told to. */
const FURTHER_FLAGS = { admin: 'adminListenAddr', storage: 'storage.listenAddr' } as const;
const ALL_FLAGS = { ...FLAGS, ...FURTHER_FLAGS };
type Listener = keyof typeof ALL_FLAGS;

/** A node with the listener, the listener's port, and where the node has its paths for operators. */
async function startListening(name: Listener): Promise<{ node: TestNode; port: number; operators: { url: string } }> {
  if (name !== 'admin' && name !== 'storage') {
    const node = await startNode();
    return { node, port: portsOf(node)[name], operators: node };
  }
  const port = await findFreePort();
  const address = `127.0.0.1:${port}`;
  const node = await startNode({ flags: [`-${FURTHER_FLAGS[name]}=${address}`] });
  return { node, port, operators: name === 'admin' ? { url: `http://${address}` } : node };
}

const IDLE_SOCKETS = 20_000;
/** Fewer than a listener's backlog. */
const AT_ONCE = 250;

/** Resolves when the socket is connected; it is in `sockets` until the node closes it. */
async function openIdle(port: number, sockets: Set<Socket>): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  sockets.add(socket);
  // What the node says first over HTTP/2 is read: otherwise the end behind it would never be seen.
  socket.resume();
  socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  await once(socket, 'connect');
}

describe('idle sockets', () => {
  test.each(['http', 'otlpHttp', 'otlpGrpc', 'grpc'] as const)(
    'more of them on %s than there are descriptors: the node flushes, merges and answers, and the idle ones go',
    async (name) => {
      await using node = await startNode({ through: withOpenFiles(1_024) });
      const sockets: Socket[] = [];
      try {
        for (let i = 0; i < 1_200; i++) {
          const socket = connect(portsOf(node)[name], '127.0.0.1');
          socket.on('error', () => undefined);
          await once(socket, 'connect');
          sockets.push(socket);
        }
        const ids: string[] = [];
        for (let round = 0; round < 3; round++) {
          ids.push(...(await sendTraces(node, 1 + round * PROTOCOLS.length)));
          const flushed = await fetch(`${node.url}/internal/force_merge`, { method: 'POST' });
          expect(await flushed.text()).toBe('OK\n');
        }
        await expectThere(node, ids);
        const metrics = await readMetrics(node);
        const flag = FLAGS[name];
        const max = metrics.get(`tracelith_connections_max{name="${flag}"}`);
        expect(metrics.get(`vm_tcplistener_conns{name="${flag}"}`)).toBeLessThanOrEqual(max!);
        expect(metrics.get(`tracelith_connections_pushed_out_total{name="${flag}"}`)).toBeGreaterThan(0);
        expect(node.log()).toContain('few file descriptors: the listeners take fewer connections');
      } finally {
        for (const socket of sockets) socket.destroy();
      }
    },
  );

  test.each(Object.keys(ALL_FLAGS) as Listener[])(
    '20,000 of them on %s, one after the other: each is taken, the ones idle longest go, and good clients are served meanwhile',
    async (name) => {
      const { node: started, port, operators } = await startListening(name);
      await using node = started;
      const sockets = new Set<Socket>();
      const ids: string[] = [];
      try {
        for (let opened = 0; opened < IDLE_SOCKETS; opened += AT_ONCE) {
          await Promise.all(Array.from({ length: AT_ONCE }, () => openIdle(port, sockets)));
          if (opened % 4_000 === 0) ids.push(...(await sendTraces(node, 1 + ids.length)));
        }
        await expectThere(node, ids);
        expect(ids).toHaveLength(5 * PROTOCOLS.length);
        const metrics = await readMetrics(operators);
        const label = `{name="${ALL_FLAGS[name]}"}`;
        const max = metrics.get(`tracelith_connections_max${label}`)!;
        expect(metrics.get(`vm_tcplistener_conns${label}`)).toBeLessThanOrEqual(max);
        expect(metrics.get(`tracelith_connections_pushed_out_total${label}`)).toBeGreaterThanOrEqual(
          IDLE_SOCKETS - max,
        );
      } finally {
        for (const socket of sockets) socket.destroy();
      }
    },
    120_000,
  );

  test('too few descriptors for the store are refused at the start, with the remedy', async () => {
    const { exitCode, output } = await runProgram(['-storageDataPath=/nowhere'], withOpenFiles(256));
    expect(exitCode).toBe(2);
    expect(output).toMatch(
      /^tracelith: this process may open 256 files .* needs \d+ at least: raise the hard limit .*\n$/,
    );
  });

  test('a soft limit below the hard one is raised', async () => {
    await using node = await startNode({ through: ['sh', '-c', 'ulimit -Sn 256 && exec "$@"', 'sh'] });
    expect((await readMetrics(node)).get('process_max_fds')).toBeGreaterThan(256);
  });
});
