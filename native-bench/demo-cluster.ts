// npm run demo:cluster: two insert, two select and three storage nodes behind HAProxy, on this machine. Traces are written and
// read without a pause while nodes are killed and started again, and every second a line says what was answered. At the end
// each acknowledged trace is asked for. It keeps running until Ctrl-C; with --once it exits. --seconds N: length of a step.
import { parseArgs } from 'node:util';
import { runDemo, type Demo, type Step } from './demo-steps.ts';
import { startCluster, type Cluster } from './harness/cluster.ts';

function stepsOf(cluster: Cluster): Step[] {
  const kill = (name: string) => async () => await cluster.named(name).kill9();
  const start = (name: string) => async () => await cluster.named(name).start();
  return [
    { title: 'Everything is up.' },
    {
      title:
        'storage-2 is killed (kill -9): its share of the writes goes to the others, answers that need it are refused.',
      act: kill('storage-2'),
    },
    { title: 'storage-2 is started again: answers are whole.', act: start('storage-2') },
    { title: 'insert-1 is killed: the proxy writes through insert-2.', act: kill('insert-1') },
    {
      title: 'insert-1 is started again, and select-1 is killed: the proxy reads through select-2.',
      act: async () => {
        await cluster.named('insert-1').start();
        await cluster.named('select-1').kill9();
      },
    },
    { title: 'select-1 is started again.', act: start('select-1') },
  ];
}

async function open(path: string): Promise<Demo> {
  const cluster = await startCluster({ path, inserts: 2, selects: 2, storages: 3 });
  return { cluster, steps: stepsOf(cluster), [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose]() };
}

const { values } = parseArgs({
  options: { once: { type: 'boolean', default: false }, seconds: { type: 'string', default: '8' } },
});
await runDemo({ ...values, open });
