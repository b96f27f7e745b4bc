// Lists of nodes as people write them by mistake: a process that lists itself, circles, two nodes of one name, one node at two
// addresses, a node that takes another name, a list that is empty for a moment. Real sockets.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { NodeSource } from '../../src/base/node-sources.ts';
import { createLogger } from '../../src/base/logger.ts';
import { StorageNodes, type StorageNodesOptions } from '../../src/cluster/storage-nodes.ts';
import { askNode } from '../../src/cluster/ask-nodes.ts';
import { codecOf } from '../../src/cluster/protocol.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { OddNode, ownPath, say, type OddCall } from '../support/odd-node.ts';
import { TemporaryFolder } from '../storage/open-store.ts';

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one[Symbol.asyncDispose]();
});

async function openNode(name: string, more: object = {}): Promise<OddNode> {
  const node = await OddNode.open({}, { name, protocol: 1, instance: name, ...more });
  opened.push(node);
  return node;
}

async function openList(
  sources: readonly NodeSource[],
  options: Partial<StorageNodesOptions> = {},
): Promise<{ readonly nodes: StorageNodes; readonly lines: string[] }> {
  const lines: string[] = [];
  const logger = createLogger({ write: (line) => void lines.push(line) });
  const nodes = await StorageNodes.open({ sources, disk: nodeDisk, logger, forgetAfterMs: 60_000, ...options });
  opened.push({ [Symbol.asyncDispose]: async () => nodes.close() });
  return { nodes, lines };
}

const statesOf = (nodes: StorageNodes): [string, boolean][] =>
  nodes.all.map(({ shownName, isUp }) => [shownName, isUp]);
/** Longer than two nodes need to be told from one that is being replaced. */
const patience = { timeout: 40_000, interval: 200 };

test('a process that lists itself is not asked, one that asks it counts as down, and both are named', async () => {
  const self = await openNode('self', { instance: 'me', behind: ['me'] });
  const region = await openNode('region', { behind: ['region', 'me'] });
  const store = await openNode('store');
  const { nodes, lines } = await openList(
    [self, region, store].map(({ source }) => source),
    { instance: 'me' },
  );
  expect(statesOf(nodes)).toEqual([
    ['region', false],
    ['store', true],
  ]);
  const shown = lines.join('');
  expect(shown).toContain(`this process lists itself: take ${self.address} out of -storageNode`);
  expect(shown).toContain(`region asks this process, which asks it: take ${region.address} out of -storageNode`);
  // Whoever asks this process must know of the circle, too.
  expect(nodes.behind.toSorted()).toEqual(['me', 'region']);
  region.description = { ...region.description, behind: ['region'] };
  await expect.poll(() => statesOf(nodes)[0], patience).toEqual(['region', true]);
});

test('of two nodes with one name, the one that is away is still missed', async () => {
  const [one, other] = [await openNode('a', { instance: '1' }), await openNode('a', { instance: '2' })];
  const { nodes, lines } = await openList([one, other].map(({ source }) => source));
  expect(statesOf(nodes)).toEqual([
    ['a', true],
    ['a', true],
  ]);
  await expect.poll(() => lines.join(''), patience).toContain('two storage nodes have one name');
  await other[Symbol.asyncDispose]();
  await expect
    .poll(() => statesOf(nodes), patience)
    .toEqual([
      ['a', true],
      ['a', false],
    ]);
  // Spans go to one that takes them.
  expect(nodes.nodeAt(0).isUp).toBe(true);
});

test('one node at two addresses is asked once, also when it restarts and both addresses see that at different times', async () => {
  const [one, other] = [await openNode('a', { instance: '1' }), await openNode('a', { instance: '1' })];
  const { nodes, lines } = await openList([one, other].map(({ source }) => source));
  expect(statesOf(nodes)).toEqual([['a', true]]);
  one.description = { ...one.description, instance: '2' };
  other.description = { ...other.description, instance: '2' };
  await one[Symbol.asyncDispose]();
  await expect
    .poll(() => nodes.all.map(({ address, isUp }) => [address, isUp]), patience)
    .toEqual([[other.address, true]]);
  expect(lines.join('')).not.toContain('two storage nodes');
});

test('a node that takes another name, or another node that answers at its address, is placed by what it is called now', async () => {
  const [one, two] = [await openNode('a'), await openNode('b')];
  const { nodes } = await openList([one, two].map(({ source }) => source));
  expect(nodes.placement.names).toEqual(['a', 'b']);
  [one.description, two.description] = [two.description, one.description];
  await expect
    .poll(() => nodes.placement.names.map((_, index) => nodes.nodeAt(index).address), patience)
    .toEqual([two.address, one.address]);
  one.description = { ...one.description, name: 'c' };
  await expect.poll(() => nodes.placement.names, patience).toEqual(['a', 'c']);
});

test('what answers without a proper name is no storage node, whatever it was called before', async () => {
  const [one, two] = [await openNode('a'), await openNode('b')];
  one.description = {};
  const { nodes } = await openList([one, two].map(({ source }) => source));
  expect(nodes.placement.names).toEqual(['b']);
  expect(nodes.all.map(({ shownName, isUp }) => [shownName, isUp])).toEqual([
    ['b', true],
    [one.address, false],
  ]);
  for (const name of ['a\nERROR', 'a b', 'ä', 'x'.repeat(301)]) {
    two.description = { ...two.description, name };
    await expect.poll(() => nodes.all[0]!.reason, patience).toContain(JSON.stringify(name.slice(0, 80)));
    expect([nodes.placement.names, nodes.nodeAt(0).isUp]).toEqual([['b'], false]);
  }
});

test('a list that is empty, or broken, for a moment changes nothing; one that names a node twice names it once', async () => {
  using folder = new TemporaryFolder();
  const path = join(folder.path, 'nodes');
  const [one, two] = [await openNode('a'), await openNode('b')];
  writeFileSync(path, `${one.address},${one.address}\n`);
  const { nodes, lines } = await openList([{ kind: 'file', path }], { resolveIntervalMs: 50 });
  expect(statesOf(nodes)).toEqual([['a', true]]);
  for (const text of ['', '# nothing\n', 'http://b:1\n', ':\n']) {
    lines.length = 0;
    writeFileSync(path, text);
    await expect.poll(() => lines.join(''), patience).toContain('storage nodes cannot be looked up');
    expect(statesOf(nodes)).toEqual([['a', true]]);
    // Heals, so that the next one is reported again.
    writeFileSync(path, `${one.address}\n`);
    await expect.poll(() => lines.join(''), patience).toContain('storage nodes are looked up again');
  }
  writeFileSync(path, `${two.address}\n`);
  await expect.poll(() => statesOf(nodes), patience).toEqual([['b', true]]);
});

test('a question to a node that is taken off the list meanwhile is answered', async () => {
  using folder = new TemporaryFolder();
  const path = join(folder.path, 'nodes');
  const held: OddCall[] = [];
  let isHeld = false;
  const description = { name: 'a', protocol: 1, instance: 'a' };
  const answer = (call: OddCall): void =>
    say(call, codecOf('tracelith.cluster.v1.DescribeResponse').encode(description));
  const describe = (call: OddCall): void => (isHeld ? void held.push(call) : answer(call));
  const one = await OddNode.open({ [ownPath('Describe')]: describe }, description);
  opened.push(one);
  const two = await openNode('b');
  writeFileSync(path, `${one.address}\n${two.address}\n`);
  const { nodes } = await openList([{ kind: 'file', path }], { resolveIntervalMs: 50 });
  isHeld = true;
  const node = nodes.all.find(({ shownName }) => shownName === 'a')!;
  const asked = askNode(node, { tenant: DEFAULT_TENANT }, (store, call) => store.describe(call));
  await expect.poll(() => held.length, patience).toBeGreaterThan(0);
  writeFileSync(path, `${two.address}\n`);
  await expect.poll(() => statesOf(nodes), patience).toEqual([['b', true]]);
  for (const call of held) answer(call);
  expect(await asked).toMatchObject({ name: 'a' });
});
