// Pins the block's bytes. A fixture lists what a fixed batch is encoded to, column by column before compression (what a
// compressor makes of it may change with its version), and one block as it was stored, which must be readable for ever.
// TRACELITH_WRITE_FIXTURES=1 writes the fixtures anew, on purpose: fixtures/format/README.md says when.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BLOCK_VERSION } from '../../src/block/block-header.ts';
import { BlockReader, verifyBlock } from '../../src/block/block-reader.ts';
import type { OtlpRequest } from '../support/otlp-proto.ts';
import { root } from '../support/source-tree.ts';
import {
  attribute,
  batchOf,
  blockOf,
  BLOCK_KINDS,
  type BlockKind,
  decoded,
  idOf,
  NOON_NS,
  requestOf,
  span,
  spansOf,
} from './scanned.ts';

const UUID = '123e4567-e89b-12d3-a456-426614174000';

/** Two traces of two services with something in every kind of column; no randomness, no clock. */
const shop: OtlpRequest = requestOf([
  span(1, {
    name: 'GET /cart',
    kind: 2,
    attributes: [attribute('http.method', 'GET'), attribute('user', UUID)],
    status: { code: 1 },
  }),
  span(2, {
    parentSpanId: idOf(1, 8),
    startTimeUnixNano: NOON_NS + 1_000n,
    attributes: [attribute('n', { intValue: -5n }), attribute('price', { doubleValue: 19.99 })],
  }),
  span(3, {
    parentSpanId: idOf(1, 8),
    startTimeUnixNano: NOON_NS + 2_000n,
    attributes: [attribute('n', { intValue: 2n ** 60n }), attribute('price', { doubleValue: 5 })],
  }),
  span(4, {
    parentSpanId: idOf(99, 8),
    name: 'GET /cart',
    kind: 2,
    attributes: [attribute('http.method', 'GET'), attribute('user', UUID.replace('1', '2'))],
    status: { code: 2, message: 'no' },
  }),
]);
const other: OtlpRequest = requestOf(
  [
    span(5, {
      trace: 2,
      flags: 0x101,
      traceState: 'a=b',
      endTimeUnixNano: 2n ** 64n - 1n,
      events: [
        { timeUnixNano: NOON_NS + 7n, name: 'retry', attributes: [attribute('order', '000102030405')] },
        { timeUnixNano: NOON_NS + 9n, name: 'retry', attributes: [attribute('order', '0a0b0c0d0e0f')] },
        { timeUnixNano: 1n, name: 'old' },
      ],
      links: [
        { traceId: idOf(1, 16), spanId: idOf(1, 8), flags: 1, attributes: [attribute('ok', { boolValue: true })] },
      ],
    }),
    ...['41', '42', '42', '42', '42'].map((count, i) =>
      span(10 + i, {
        trace: 2,
        name: 'poll',
        endTimeUnixNano: NOON_NS + 3_000_000n * BigInt(i),
        attributes: [
          attribute('count', count),
          attribute('list', { arrayValue: { values: [{}, { bytesValue: Uint8Array.of(i) }] } }),
        ],
      }),
    ),
  ],
  'other',
);

const COLUMN_NAMES = new Map([
  [1, 'strings'],
  [2, 'resources'],
  [3, 'scopes'],
  [4, 'span templates'],
  [5, 'event templates'],
  [6, 'link templates'],
  [7, 'span constants'],
  [8, 'event constants'],
  [9, 'link constants'],
  [10, 'trace ids'],
  [11, 'trace sizes'],
  [12, 'trace starts'],
  [13, 'row templates of spans'],
  [14, 'row templates of events'],
  [15, 'row templates of links'],
  [16, 'span ids'],
  [17, 'parents'],
  [18, 'orphan parents'],
  [19, 'starts'],
  [20, 'durations'],
  [21, 'event counts'],
  [22, 'link counts'],
  [23, 'event times'],
  [24, 'link ids'],
  [32, 'values'],
  [33, 'distinct values'],
]);

/** Bytes as lines of 32: offset, hex, and what of it is printable. */
function dump(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 32) {
    const line = Buffer.from(bytes.subarray(at, at + 32));
    const text = line.toString('latin1').replace(/[^ -~]/g, '.');
    lines.push(`  ${at.toString(16).padStart(4, '0')}  ${line.toString('hex').padEnd(64)}  ${text}`);
  }
  return lines;
}

/** Everything about the block that its version decides, and nothing that its compressor does. */
function listing(block: Uint8Array): string[] {
  const reader = new BlockReader(block);
  const fixed = [
    ...dump(block.subarray(0, 4)),
    ...dump(block.subarray(12, 72)).map((line) => `${line} (from byte 12)`),
  ];
  const columns = reader.columns.flatMap((entry) => {
    const { code, section, field, count, frame } = entry;
    const bytes = reader.open(entry);
    const name = COLUMN_NAMES.get(code) ?? 'unknown';
    const which = code >= 32 ? `, section ${section}, field ${field}` : '';
    return [
      '',
      `column ${code} ${name}${which}: ${count} entries, ${bytes.left} bytes, frame ${frame}`,
      ...dump(bytes.view(bytes.left)),
    ];
  });
  return ['fixed header, without sizes and checksum', ...fixed, ...columns];
}

/** The versions with fixtures; what is written now is the last. Version 1 had no groups. */
const VERSIONS = [1, BLOCK_VERSION];
/** Flushes wrote blocks of a kind of their own, young, with LZ4 and dictionaries, until merges copied blocks. */
type KindRead = BlockKind | 'young';
const kindsOf = (version: number): readonly KindRead[] => (version > 1 ? BLOCK_KINDS : ['log', 'young', 'merged']);
const pathOf = (version: number, kind: KindRead): string =>
  join(root, 'fixtures', 'format', `block-v${version}-${kind}.hex`);
const STORED = 'stored';

function writeFixture(kind: BlockKind, block: Uint8Array): void {
  const lines = [
    `A block of format ${BLOCK_VERSION}, ${kind}: see README.md`,
    '',
    ...listing(block),
    '',
    STORED,
    ...dump(block),
  ];
  writeFileSync(pathOf(BLOCK_VERSION, kind), `${lines.join('\n')}\n`);
}

function readFixture(version: number, kind: KindRead): { listing: string[]; stored: Uint8Array } {
  const lines = readFileSync(pathOf(version, kind), 'utf8').trimEnd().split('\n');
  const at = lines.lastIndexOf(STORED);
  const hex = lines.slice(at + 1).map((line) => line.slice(8, 72).trim());
  return { listing: lines.slice(2, at - 1), stored: Buffer.from(hex.join(''), 'hex') };
}

const batch = batchOf(shop, other);

test.each(BLOCK_KINDS)('a block (%s) is written as its fixture says', (kind) => {
  const block = blockOf(batch, kind);
  if (process.env['TRACELITH_WRITE_FIXTURES'] === '1') writeFixture(kind, block);
  expect(existsSync(pathOf(BLOCK_VERSION, kind))).toBe(true);
  expect(listing(block).join('\n')).toBe(readFixture(BLOCK_VERSION, kind).listing.join('\n'));
});

describe.each(VERSIONS)('a block of version %i, stored by an earlier program,', (version) => {
  test.each(kindsOf(version))('%s, is read, span by span', (kind) => {
    const { stored, listing: written } = readFixture(version, kind);
    verifyBlock(stored);
    expect(spansOf(decoded(stored))).toEqual(spansOf(batch));
    expect(listing(stored)).toEqual(written);
  });
});

test('the fixtures have every column the format knows', () => {
  const codes = new Set(new BlockReader(blockOf(batch, 'groups')).columns.map(({ code }) => code));
  expect([...codes].toSorted((x, y) => x - y)).toEqual([...COLUMN_NAMES.keys()]);
});
