// Digests are equal where answers are, and only there, however the spans are spread over parts and log.
import { expect, test } from 'vitest';
import { BlockSource, type ViewFiles } from '../../src/query/block-source.ts';
import { Deadline } from '../../src/query/deadline.ts';
import { digestSpans, piecesOf } from '../../src/query/digest-spans.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { requestOf, span } from '../block/scanned.ts';
import type { OtlpRequest } from '../support/otlp-proto.ts';
import { MadeStore } from './made-store.ts';

/** Digests by trace, as a set for each. */
function digestsOf(store: MadeStore): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const view of piecesOf(store.view)) for (const records of pagesOf(store, view)) addRecords(found, records);
  return found;
}

function pagesOf(store: MadeStore, view: ViewFiles): Buffer[] {
  using source = new BlockSource(store.cache, view, DEFAULT_TENANT);
  const pages: Buffer[] = [];
  for (let from: number | undefined = 0; from !== undefined;) {
    const page: { records: Uint8Array; next: number | undefined } = digestSpans(source, from, new Deadline(60_000));
    pages.push(Buffer.from(page.records));
    from = page.next;
  }
  return pages;
}

function addRecords(found: Map<string, Set<string>>, records: Buffer): void {
  for (let at = 0; at < records.length;) {
    const id = records.toString('hex', at, at + 16);
    const spans = found.get(id) ?? new Set<string>();
    found.set(id, spans);
    const end = at + 20 + 8 * records.readUInt32LE(at + 16);
    for (at += 20; at < end; at += 8) spans.add(records.toString('hex', at, at + 8));
  }
}

function digests(...places: readonly (readonly OtlpRequest[])[]): Map<string, Set<string>> {
  using store = new MadeStore();
  places.forEach((requests, i) => (i % 2 === 0 ? store.addPart(requests) : store.addLog(requests)));
  return digestsOf(store);
}

const SPANS = [span(1), span(2), span(3, { trace: 2 }), span(4, { trace: 2, name: 'other' })];

test('the same spans have the same digests wherever they lie, duplicates included', () => {
  const whole = digests([requestOf(SPANS)]);
  expect([...whole.values()].map(({ size }) => size)).toEqual([2, 2]);
  expect(digests([requestOf([SPANS[3]!])], [requestOf([SPANS[0]!, SPANS[2]!])], [requestOf(SPANS)])).toEqual(whole);
});

test.each<[string, OtlpRequest]>([
  ['a name', requestOf([{ ...SPANS[0]!, name: 'changed' }])],
  ['a time', requestOf([{ ...SPANS[0]!, endTimeUnixNano: SPANS[0]!.startTimeUnixNano! + 77n }])],
  ['an attribute', requestOf([{ ...SPANS[0]!, attributes: [{ key: 'k', value: { intValue: 1n } }] }])],
  ['a resource', { resourceSpans: [{ scopeSpans: [{ spans: [SPANS[0]!] }] }] }],
])('%s that differs gives another digest', (_what, changed) => {
  const [before, after] = [digests([requestOf([SPANS[0]!])]), digests([changed])];
  expect([...after.keys()]).toEqual([...before.keys()]);
  expect([...after.values()]).not.toEqual([...before.values()]);
});

test('a view of many log blocks is read in pieces that lose none', () => {
  using store = new MadeStore();
  store.addLog(Array.from({ length: 300 }, (_, i) => requestOf([span(i + 1, { trace: i + 1 })])));
  expect(piecesOf(store.view)).toHaveLength(2);
  expect(digestsOf(store).size).toBe(300);
});
