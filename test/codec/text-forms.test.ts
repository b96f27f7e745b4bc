// A form is chosen only when every string of the list is exactly what its decoder prints.
import { expect, test } from 'vitest';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import {
  decimalForm,
  hexForm,
  uuidForm,
  writeDecimal,
  writeHex,
  writeUuid,
  type Texts,
} from '../../src/codec/text-forms.ts';

const UUID = '123e4567-e89b-12d3-a456-426614174000';

function textsOf(values: readonly string[]): Texts {
  const bytes = Buffer.from(`..${values.join('')}`, 'latin1');
  let at = 2;
  return {
    bytes,
    a: Uint32Array.from(values, (value) => (at += value.length) - value.length),
    b: Uint32Array.from(values, (value) => value.length),
  };
}

test.each<[string[], string]>([
  [[UUID], 'uuid'],
  [[UUID, UUID.replace('1', 'a')], 'uuid'],
  [[UUID, UUID.toUpperCase()], 'none'],
  [[UUID.replaceAll('-', '0')], 'hex'],
  [[UUID.slice(1)], 'none'],
  [[UUID.replace('-', '0').replace('3', '-')], 'none'],
  [['deadbeef'], 'hex'],
  [['deadbeef', '00'], 'none'], // too short to be an id
  [['deadbee'], 'none'],
  [['deadbeef0'], 'none'],
  [['deadbeeg'], 'none'],
  [['12345678'], 'hex decimal'],
  [['0'], 'decimal'],
  [['00'], 'none'],
  [['01'], 'none'],
  [[''], 'none'],
  [['1', ''], 'none'],
  [['+1'], 'none'],
  [['1.5'], 'none'],
  [['1e3'], 'none'],
  [['999999999999999'], 'decimal'],
  [['1000000000000000'], 'hex'],
])('%j is %s', (values, expected) => {
  const texts = textsOf(values);
  const count = values.length;
  const forms = [
    uuidForm(texts, count) ? 'uuid' : '',
    hexForm(texts, count) ? 'hex' : '',
    decimalForm(texts, count) === undefined ? '' : 'decimal',
  ];
  expect(forms.filter((form) => form !== '').join(' ') || 'none').toBe(expected);
});

test('decimals are their values', () => {
  expect(decimalForm(textsOf(['0', '42', '999999999999999']), 3)).toEqual(Float64Array.of(0, 42, 999_999_999_999_999));
});

test('hex and UUIDs are written as their bytes, behind what was written before', () => {
  const out = new ByteWriter(1);
  out.u8(1);
  writeHex(out, Buffer.from('..00ff'), 2, 4);
  writeUuid(out, Buffer.from(UUID), 0);
  expect(Buffer.from(out.view()).toString('hex')).toBe(`0100ff${UUID.replaceAll('-', '')}`);
});

test('a decimal is printed where it is asked to be', () => {
  const text = new Uint8Array(8).fill(0x2e);
  expect(writeDecimal(text, 1, 4207)).toBe(5);
  expect(Buffer.from(text).toString()).toBe('.4207...');
});
