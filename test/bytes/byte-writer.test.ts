// The bytes protobufjs writes are the oracle for protobuf; the project's own records are read back in byte-reader.test.ts.
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';

function written(write: (out: ByteWriter) => void): Uint8Array {
  const out = new ByteWriter(1);
  write(out);
  return out.take();
}

/** As a plain array, so that toEqual compares bytes and not classes. */
const oracle = (write: (out: protobuf.Writer) => unknown): Uint8Array => {
  const out = protobuf.Writer.create();
  write(out);
  return new Uint8Array(out.finish());
};

test.each([0, 1, 127, 128, 16_383, 16_384, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 35, 2 ** 53 - 1, 2 ** 53])(
  'the varint of %d, from a number and from two words',
  (value) => {
    const expected = oracle((out) => out.uint64(value));
    expect(written((out) => out.varint(value))).toEqual(expected);
    expect(written((out) => out.varint64(value % 2 ** 32, Math.floor(value / 2 ** 32)))).toEqual(expected);
  },
);

test('the varint of -1 is ten bytes, and of words given as signed ones the same', () => {
  const expected = Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255, 255, 1);
  expect(written((out) => out.varint64(0xffffffff, 0xffffffff))).toEqual(expected);
  expect(written((out) => out.varint64(-1, -1))).toEqual(expected);
});

test.each([-1, -(2 ** 31), -(2 ** 53), NaN])(
  'the varint of %d is a bug, and no bytes that lead a reader astray',
  (value) => {
    expect(() => written((out) => out.varint(value))).toThrow('BUG: a varint of');
  },
);

test('fixed numbers are little-endian', () => {
  expect(written((out) => out.u32(0x04030201))).toEqual(Uint8Array.of(1, 2, 3, 4));
  expect(written((out) => out.u64(0x04030201, 0x08070605))).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  expect(written((out) => out.f64(1.5))).toEqual(new Uint8Array(Float64Array.of(1.5).buffer));
});

describe('a message has the shortest length in front, whatever its size:', () => {
  test.each([0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152])('%d bytes', (size) => {
    const content = new Uint8Array(size).fill(7);
    const expected = oracle((out) => out.uint32((5 << 3) | 2).bytes(content));
    expect(written((out) => out.bytesField(5, content))).toEqual(expected);
    expect(written((out) => out.message(5, () => out.raw(content)))).toEqual(expected);
    const halves = written((out) => {
      out.tag(5, 2);
      const at = out.beginMessage();
      out.raw(content);
      out.endMessage(at);
    });
    expect(halves).toEqual(expected);
  });

  test('nested, each of another size', () => {
    const nest = (out: ByteWriter, depth: number): void => {
      if (depth === 0) return;
      out.message(depth, () => {
        nest(out, depth - 1);
        out.stringField(9, 'x'.repeat(40 * depth));
      });
    };
    const nestOracle = (depth: number): Uint8Array =>
      oracle((out) => {
        if (depth === 0) return;
        const body = oracle((inner) => inner.uint32((9 << 3) | 2).string('x'.repeat(40 * depth)));
        out.uint32((depth << 3) | 2).bytes(Buffer.concat([nestOracle(depth - 1), body]));
      });
    expect(written((out) => nest(out, 12))).toEqual(nestOracle(12));
  });
});

test('a string field is UTF-8', () => {
  const expected = oracle((out) => out.uint32((1 << 3) | 2).string('žluť 🐎'));
  expect(written((out) => out.stringField(1, 'žluť 🐎'))).toEqual(expected);
});

test('ranges of every length are copied, short by hand and long by the machine', () => {
  const random = createRandom(printedSeed('ranges'));
  const source = Uint8Array.from({ length: 400 }, (_, i) => i);
  const out = new ByteWriter(1);
  const expected: number[] = [];
  for (let round = 0; round < 500; round++) {
    const start = Math.floor(random() * 300);
    const end = start + Math.floor(random() * 100);
    out.rawRange(source, start, end);
    expected.push(...source.subarray(start, end));
  }
  expect(Array.from(out.take())).toEqual(expected);
});

test('what was taken stays as it was when the writer goes on', () => {
  const out = new ByteWriter(4);
  out.u8(1);
  const first = out.take();
  expect(out.length).toBe(0);
  out.u8(2);
  expect([...first, ...out.view()]).toEqual([1, 2]);
});

test('seams are where they were asked for, each once', () => {
  const out = new ByteWriter(1);
  out.seam();
  out.u8(1);
  out.seam();
  out.seam();
  out.u32(1);
  out.seam();
  expect(out.seams).toEqual([0, 1, 5]);
});
