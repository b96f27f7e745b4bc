// Templates come back as they were added, in their order, with a column for each of their fields; whatever no writer wrote is refused.
import { describe, expect, test } from 'vitest';
import { SECTION_EVENTS, SECTION_LINKS, SECTION_SPANS } from '../../src/block/block-columns.ts';
import { TemplateWriter, templateOrder } from '../../src/block/encode-templates.ts';
import { readTemplates } from '../../src/block/read-templates.ts';
import { ByteReader } from '../../src/bytes/byte-reader.ts';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import * as T from '../../src/trace/templates.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';

interface Field {
  readonly field: number;
  /** undefined: the values are in a column. */
  readonly constant?: readonly [a: number, b: number];
}

interface Template {
  readonly head: readonly number[];
  readonly fields: readonly Field[];
}

const HEAD_INTS = [T.SPAN_HEAD, T.EVENT_HEAD, T.LINK_HEAD];

function encoded(section: number, templates: readonly Template[]): Uint8Array {
  const writer = new TemplateWriter(section, HEAD_INTS[section]!);
  for (const { head, fields } of templates) {
    head.forEach((int, position) => writer.addHead(int, position));
    for (const { field, constant } of fields) {
      if (constant === undefined) writer.addField(field);
      else writer.addConstant(field, constant[0], constant[1]);
    }
    writer.endTemplate();
  }
  expect(writer.count).toBe(templates.length);
  const out = new ByteWriter();
  writer.write(out);
  return out.take();
}

function check(section: number, templates: readonly Template[]): void {
  const reader = new ByteReader(encoded(section, templates));
  const stored = readTemplates(reader, section, templates.length);
  expect([reader.left, stored.count]).toEqual([0, templates.length]);
  const columns = new Map<number, number>();
  const found = templates.map((_, id) => {
    const fields: object[] = [];
    for (let at = stored.starts[id]!; at < stored.starts[id + 1]!; at++) {
      const [field, isConstant] = [stored.field(at), stored.isConstant(at)];
      fields.push({ field, isConstant, a: stored.a(at), b: stored.b(at) });
      // One column a field, and one field a column.
      if (!isConstant) expect(columns.get(field) ?? stored.column(at)).toBe(stored.column(at));
      if (!isConstant) columns.set(field, stored.column(at));
    }
    return { head: Array.from({ length: stored.size }, (_unused, int) => stored.head(id, int)), fields };
  });
  expect(new Set(columns.values()).size).toBe(columns.size);
  const expected = templates.map(({ head, fields }) => ({
    head,
    fields: fields.map(({ field, constant }) =>
      constant === undefined
        ? { field, isConstant: false, a: 0, b: 0 }
        : { field, isConstant: true, a: constant[0] >>> 0, b: constant[1] >>> 0 },
    ),
  }));
  expect(found).toEqual(expected);
}

const text = T.attributeField(3, T.TYPE_STRING);
const int = T.attributeField(4, T.TYPE_INT);
const FIRST: Template = { head: [0, 0, 0, 2, 1, 5, 0x101], fields: [{ field: text }, { field: int }] };

test('templates of spans, with constants of every type between fields that have columns', () => {
  check(SECTION_SPANS, []);
  check(SECTION_SPANS, [FIRST]);
  check(SECTION_SPANS, [
    { ...FIRST, head: [1, 2, 0, 2, 0, 0, 0] },
    { ...FIRST, head: [0, 1, 0, -1, -1, 15, -(2 ** 31)], fields: [] },
    {
      head: [0, 0, 7, 2 ** 31 - 1, 0, 0, 0],
      fields: [
        { field: text, constant: [2, 0] },
        { field: T.attributeField(5, T.TYPE_BOOL), constant: [1, 0] },
        { field: text },
        { field: int, constant: [0xffffffff, 0x80000000] },
        { field: T.attributeField(5, T.TYPE_DOUBLE), constant: [0, 0x7ff80000] },
        { field: T.attributeField(6, T.TYPE_ABSENT), constant: [0, 0] },
        { field: T.attributeField(6, T.TYPE_EMPTY), constant: [0, 0] },
        { field: T.intrinsicField(T.FIELD_EXTRA, T.TYPE_BYTES), constant: [300, 0] },
        { field: text, constant: [0, 0] },
      ],
    },
    FIRST,
  ]);
});

test('templates of events and links', () => {
  check(SECTION_EVENTS, [
    { head: [4], fields: [{ field: text }] },
    { head: [0], fields: [] },
  ]);
  check(SECTION_LINKS, [
    { head: [3, -5], fields: [{ field: int, constant: [1, 0] }] },
    { head: [1, 0], fields: [{ field: int }] },
  ]);
});

test('random templates', () => {
  const random = createRandom(printedSeed('templates'));
  const number = (end: number): number => Math.floor(random() * end);
  for (let round = 0; round < 200; round++) {
    const keys = 1 + number(400);
    const templates = Array.from({ length: number(60) }, (): Template => ({
      head: Array.from({ length: T.SPAN_HEAD }, (_, i) => number(i === T.SPAN_SCOPE ? 4 : 300)),
      fields: Array.from({ length: number(12) }, (): Field => {
        const type = number(8);
        const field = T.attributeField(number(keys), type);
        if (random() < 0.7) return { field };
        const hasWords = type === T.TYPE_INT || type === T.TYPE_DOUBLE;
        const a = T.isArenaType(type)
          ? number(1000)
          : type === T.TYPE_BOOL
            ? number(2)
            : hasWords
              ? number(2 ** 32)
              : 0;
        return { field, constant: [a, hasWords ? number(2 ** 32) : 0] };
      }),
    }));
    check(SECTION_SPANS, templates);
  }
});

test('templates are ordered by scope, then as they come', () => {
  expect(templateOrder([2, 0, 1, 0, 2], 5)).toEqual([1, 3, 2, 0, 4]);
  expect(templateOrder([], 3)).toEqual([0, 1, 2]);
});

describe('bytes no writer wrote are CORRUPTION:', () => {
  test.each<[string, number, number[]]>([
    ['nothing', SECTION_EVENTS, []],
    ['a name that is no 32-bit number', SECTION_EVENTS, [0, 128, 128, 128, 128, 128, 1]],
    ['a negative count of fields', SECTION_EVENTS, [0, 1, 3, 1]],
    ['more fields than a block has', SECTION_EVENTS, [0, 1, 0, 128, 128, 128, 128, 4]],
    ['more different fields than fields', SECTION_EVENTS, [0, 1, 0, 0, 1]],
    ['a rank beyond the fields', SECTION_EVENTS, [0, 1, 0, 1, 1, 0, 2, 0, 1]],
    ['constants cut', SECTION_EVENTS, [0, 1, 0, 1, 1, 0, 2 * (16 + 2 * T.TYPE_INT) + 1, 0, 0, 0, 0, 1, 2, 3]],
    ['more operations than templates', SECTION_SPANS, [2]],
  ])('%s', (_, section, bytes) => {
    expect(() => readTemplates(new ByteReader(Uint8Array.from(bytes)), section, 1)).toThrow(
      expect.objectContaining({ code: 'CORRUPTION' }),
    );
  });
});
