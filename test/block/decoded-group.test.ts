// What is decoded of a group is decoded once while its block is open, and counted as the block's memory.
import { expect, test } from 'vitest';
import * as C from '../../src/block/block-columns.ts';
import { BlockReader } from '../../src/block/block-reader.ts';
import { decodedGroup } from '../../src/block/decoded-group.ts';
import { batchOf, blockOf, NOON_NS, requestOf, span } from './scanned.ts';

const spans = [1, 2, 3, 4].map((trace) =>
  span(trace, { trace, startTimeUnixNano: NOON_NS + BigInt(trace), events: [{ timeUnixNano: NOON_NS, name: 'e' }] }),
);
const block = blockOf(batchOf(requestOf(spans)), 'groups');

test('each group has its own columns, and keeps them', () => {
  const reader = new BlockReader(block);
  expect(reader.groups.length).toBe(2);
  const [first, second] = reader.groups.map((group) => decodedGroup(group)) as [
    ReturnType<typeof decodedGroup>,
    ReturnType<typeof decodedGroup>,
  ];
  expect(decodedGroup(reader.groups[0]!)).toBe(first);
  const before = reader.keptBytes;
  expect(first.section(C.SECTION_SPANS).rows.length).toBe(2);
  expect(Array.from(first.childStarts(C.SECTION_EVENTS))).toEqual([0, 1, 2]);
  expect(Array.from(second.traceColumns().firsts)).toEqual([0, 1, 2]);
  expect(first.traceColumns().starts[0]).toBe(reader.header.startMin);
  expect(reader.keptBytes).toBeGreaterThan(before);
  const kept = reader.keptBytes;
  expect(first.section(C.SECTION_SPANS)).toBe(first.section(C.SECTION_SPANS));
  expect(first.traceColumns()).toBe(first.traceColumns());
  expect(reader.keptBytes).toBe(kept);
});

test('another reader of the same block decodes for itself', () => {
  const [one, other] = [new BlockReader(block), new BlockReader(block)];
  expect(decodedGroup(one.groups[0]!)).not.toBe(decodedGroup(other.groups[0]!));
});
