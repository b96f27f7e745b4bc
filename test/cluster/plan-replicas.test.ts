// Each partition once, of the replica that is most likely to have it whole.
import { expect, test } from 'vitest';
import { planReplicas, type PlannedNode } from '../../src/cluster/plan-replicas.ts';

const PARTITIONS = 4;
const END = 1_000n;
const ends = new Map([0, 1, 2, 3].map((partition) => [partition, END]));

/** A node such as a0 or b1, up and at the end of the log unless told otherwise. */
function node(
  name: string,
  more: { isUp?: boolean; nodes?: number; lag?: bigint; hasGaps?: boolean } = {},
): PlannedNode {
  const { isUp = true, nodes = 2, lag = 0n, hasGaps = false } = more;
  const [zone, ordinal] = [name[0]!, Number(name.slice(1))];
  const own = [0, 1, 2, 3].filter((partition) => partition % nodes === ordinal);
  const consumed = Object.fromEntries(own.map((partition) => [partition, END - lag]));
  return { shownName: name, name, isUp, log: { zone, ordinal, nodes, partitions: PARTITIONS, consumed, hasGaps } };
}

function plan(nodes: readonly PlannedNode[], options: { zone?: string; turn?: number } = {}): [string, string][] {
  const cells = planReplicas(nodes, { offsets: ends, partitions: PARTITIONS, zone: '', turn: 0, ...options });
  return cells.map(({ partitions, replicas }) => [
    partitions.join(),
    replicas.map(({ shownName }) => shownName).join(' '),
  ]);
}

const all = ['a0', 'a1', 'b0', 'b1'];

test('each part of the log is a cell with one replica of each zone, in turns', () => {
  const nodes = all.map((name) => node(name));
  expect(plan(nodes)).toEqual([
    ['0,2', 'a0 b0'],
    ['1,3', 'a1 b1'],
  ]);
  expect(plan(nodes, { turn: 1 })).toEqual([
    ['0,2', 'b0 a0'],
    ['1,3', 'b1 a1'],
  ]);
  expect(plan(nodes.toReversed())).toEqual(plan(nodes));
});

test('the own zone comes first', () => {
  for (const turn of [0, 1])
    expect(
      plan(
        all.map((name) => node(name)),
        { zone: 'b', turn },
      ),
    ).toEqual([
      ['0,2', 'b0 a0'],
      ['1,3', 'b1 a1'],
    ]);
});

test('one that is away, lacks something or is far behind comes last, in its own zone too', () => {
  for (const more of [{ isUp: false }, { hasGaps: true }, { lag: 500n }])
    expect(plan([node('a0', more), node('a1'), node('b0'), node('b1')], { zone: 'a' })).toEqual([
      ['0,2', 'b0 a0'],
      ['1,3', 'a1 b1'],
    ]);
  // What a node said a second ago is always a little behind.
  expect(plan([node('a0', { lag: 20n }), node('b0')], { zone: 'a' })[0]).toEqual(['0,2', 'a0 b0']);
  expect(plan([node('a0', { lag: 900n }), node('b0', { lag: 500n })])[0]).toEqual(['0,2', 'b0 a0']);
});

test('zones with another number of nodes never answer together: the whole one does', () => {
  const old = [node('a0'), node('a1')];
  const grown = ['c0', 'c1', 'c2', 'c3'].map((name) => node(name, { nodes: 4 }));
  expect(plan([...old, ...grown])).toEqual([
    ['0,2', 'a0'],
    ['1,3', 'a1'],
  ]);
  expect(plan([old[0]!, node('a1', { isUp: false }), ...grown])).toEqual([
    ['0', 'c0'],
    ['1', 'c1'],
    ['2', 'c2'],
    ['3', 'c3'],
  ]);
  expect(plan([...old, ...grown.slice(1)])).toEqual([
    ['0,2', 'a0'],
    ['1,3', 'a1'],
  ]);
  // No zone stands in for another of them within one question, so a little behind counts, too.
  expect(plan([node('a0', { lag: 1n }), node('a1'), ...grown])).toHaveLength(4);
  const behind = ['a0', 'a1'].map((name) => node(name, { lag: 700n }));
  expect(plan([...behind, ...grown])).toHaveLength(4);
});

test('a part that no known node has is a cell without replicas', () => {
  expect(plan([node('a1'), node('b1')])).toEqual([
    ['0,2', ''],
    ['1,3', 'a1 b1'],
  ]);
});

test('a node that is written to directly answers beside them; one that was never reached does not', () => {
  const beside = { shownName: 'old', name: 'old', isUp: true, log: undefined };
  const unknown = { shownName: '10.0.0.1:1', name: undefined, isUp: false, log: undefined };
  expect(plan([node('a0'), node('a1'), beside, unknown])).toEqual([
    ['0,2', 'a0'],
    ['1,3', 'a1'],
    ['', 'old'],
  ]);
});
