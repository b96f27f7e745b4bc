// npm run demo:cluster as a person runs it: nodes are killed and started again, and nothing acknowledged is missing at the end.
import { expect, test } from 'vitest';
import { Child } from '../../native-bench/harness/child.ts';

const root = new URL('../../', import.meta.url).pathname;

test('the cluster demo ends with every acknowledged trace answered', { timeout: 300_000 }, async () => {
  const demo = await Child.start('env', [
    '-C',
    root,
    process.execPath,
    'native-bench/demo-cluster.ts',
    '--once',
    '--seconds',
    '2',
  ]);
  await expect.poll(() => demo.isRunning, { timeout: 280_000, interval: 100 }).toBe(false);
  expect([await demo.stop(), demo.output]).toEqual([0, demo.output]);
  const [, acknowledged, whole] =
    /(\d+) traces were acknowledged, (\d+) of them are answered whole/.exec(demo.output) ?? [];
  expect(Number(acknowledged)).toBeGreaterThan(100);
  expect(whole).toBe(acknowledged);
  expect(demo.output).toMatch(/storage-2 is killed.*\n.*down: storage-2/);
  expect(demo.output).toMatch(/a refused answer says: 503 storage node storage-2/);
});
