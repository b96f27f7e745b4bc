// Edits of fields at any depth against the same change of a decoded message.
import { expect, test } from 'vitest';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import { WireReader } from '../../src/bytes/wire-reader.ts';
import { applyEdits, type FieldEdit } from '../../src/redaction/field-edits.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';

/** A message as a tree: leaves are texts of field 1, nodes messages of field 2. */
type Tree = (string | Tree)[];

function encode(tree: Tree, out = new ByteWriter()): ByteWriter {
  for (const child of tree) {
    if (typeof child === 'string') out.stringField(1, child);
    else out.message(2, () => void encode(child, out));
  }
  return out;
}

/** Removes leaves that begin with d, and replaces those with r by a longer one. */
function edited(tree: Tree): Tree {
  return tree.flatMap((child): Tree => {
    if (typeof child !== 'string') return [edited(child)];
    return child.startsWith('d') ? [] : [child.startsWith('r') ? replaced(child) : child];
  });
}

const replaced = (leaf: string): string => leaf.toUpperCase().repeat(leaf.length % 3);

function editsOf(message: Uint8Array, start = 0, end = message.length): FieldEdit[] {
  const edits: FieldEdit[] = [];
  const reader = new WireReader(message, start, end);
  while (reader.next()) {
    if (reader.field === 2) edits.push(...editsOf(message, reader.valueStart, reader.valueEnd));
    else {
      const leaf = Buffer.from(reader.value()).toString();
      const field = { start: reader.fieldStart, end: reader.pos };
      if (leaf.startsWith('d')) edits.push({ ...field, replacement: undefined });
      if (leaf.startsWith('r')) edits.push({ ...field, replacement: encode([replaced(leaf)]).take() });
    }
  }
  return edits;
}

test('fields are replaced and removed, and the lengths around them fit', () => {
  const random = createRandom(printedSeed('field-edits'));
  const tree = (depth: number): Tree =>
    Array.from({ length: Math.floor(random() * 5) }, () => {
      if (depth < 6 && random() < 0.5) return tree(depth + 1);
      // Lengths on both sides of a longer length prefix.
      return 'drk'[Math.floor(random() * 3)]! + 'x'.repeat(Math.floor(random() * (random() < 0.1 ? 20_000 : 130)));
    });
  for (let i = 0; i < 300; i++) {
    const before = tree(0);
    const message = encode(before).take();
    const kept = message.slice();
    expect(Buffer.compare(applyEdits(message, editsOf(message)), encode(edited(before)).take())).toBe(0);
    expect(message).toEqual(kept);
  }
});

test('what is around an edit stays as it was written, also if another encoder would write it otherwise', () => {
  // Field 3 as a varint of two bytes where one would do, an unknown field 200, a length of three bytes.
  const odd = Uint8Array.of(0x18, 0x81, 0x00, 0xc2, 0x0c, 0x01, 0xff, 0x0a, 0x81, 0x80, 0x00, 0x61);
  const message = encode(['k', ['dx']]).take();
  const edits = editsOf(message).map((edit) => ({
    ...edit,
    start: edit.start + odd.length,
    end: edit.end + odd.length,
  }));
  const expected = encode(['k', []]).take();
  expect(Buffer.from(applyEdits(Buffer.concat([odd, message]), edits))).toEqual(Buffer.concat([odd, expected]));
});

test('edits that are not of fields, or out of order, are bugs, not endless work', () => {
  const message = Uint8Array.of(0x0a, 2, 1, 2, 0x10, 7);
  const of = (start: number, end: number): FieldEdit => ({ start, end, replacement: undefined });
  for (const edits of [[of(6, 8)], [of(4, 6), of(0, 4)], [of(0, 3)], [of(0, 4), of(0, 4)]])
    expect(() => applyEdits(message, edits)).toThrow(/^BUG: /);
  expect([...applyEdits(message, [of(0, 4)])]).toEqual([0x10, 7]);
});
