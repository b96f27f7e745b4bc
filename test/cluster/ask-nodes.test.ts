// What a question does with a node that is down.
import { expect, test } from 'vitest';
import { BugError } from '../../src/base/assert.ts';
import { StoreError } from '../../src/base/errors.ts';
import { askNode } from '../../src/cluster/ask-nodes.ts';
import type { StorageNode } from '../../src/cluster/storage-node.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';

/** One that is down, and whose own question ends with the error. */
const downNode = (error: Error): StorageNode =>
  ({ isUp: false, reason: 'it is away', isBack: () => Promise.reject(error) }) as unknown as StorageNode;
const ask = async (error: Error): Promise<object> =>
  await askNode(downNode(error), { tenant: DEFAULT_TENANT }, (store, call) => store.describe(call));

test('a bug that the question whether it is back meets is told; a failure of the node is not', async () => {
  await expect(ask(new BugError('two names'))).rejects.toThrow('BUG: two names');
  await expect(ask(new StoreError('UNAVAILABLE', 'refused'))).rejects.toThrow('it is away');
});
