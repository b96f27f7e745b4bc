// A storage node that is down, as those see it who need it: however many ask whether it is back, they share few questions to it.
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { StorageNode } from '../../src/cluster/storage-node.ts';
import { OddNode, ownPath } from '../support/odd-node.ts';

const REQUESTS = 300;

test('requests that come while a node is down share a question to it, ten times a second', async () => {
  // Without a name it does not serve.
  await using odd = await OddNode.open({}, {});
  const node = new StorageNode({ address: odd.address, onChange: () => undefined });
  let tenths = 0;
  const clock = setInterval(() => tenths++, 100);
  try {
    await node.probe();
    const asked: Promise<boolean>[] = [];
    for (let i = 0; i < REQUESTS; i++) {
      asked.push(node.isBack());
      await delay(1);
    }
    expect(new Set(await Promise.all(asked))).toEqual(new Set([false]));
    // Of those of the node's own timer, one comes with ten of these at most.
    expect(odd.countOf(ownPath('Describe'))).toBeLessThan(2 * tenths + 6);
    odd.description = { name: 'a', protocol: 1, instance: 'a' };
    expect(await node.isBack()).toBe(true);
  } finally {
    clearInterval(clock);
    node.close();
  }
});
