// A form is chosen only when every string of the list is exactly what its decoder prints.
import { expect, test } from 'vitest';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import {
  decimalDigits,
  decimalForm,
  hexForm,
  isRandomUuid,
  printDigits,
  printHex,
  printUuid,
  uuidForm,
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

test('a decimal is printed where it is asked to be, with zeros in front where it is shorter', () => {
  const text = new Uint8Array(8).fill(0x2e);
  expect(printDigits(text, 1, 4207, 4)).toBe(5);
  expect(Buffer.from(text).toString()).toBe('.4207...');
  expect(printDigits(text, 2, 7, 3)).toBe(5);
  expect(Buffer.from(text).toString()).toBe('.4007...');
  const largest = new Uint8Array(15);
  printDigits(largest, 0, 999_999_999_999_998, 15);
  expect(Buffer.from(largest).toString()).toBe('999999999999998');
});

test.each([
  [0, 1],
  [9, 1],
  [10, 2],
  [999_999_999_999_999, 15],
])('%d has %d digits', (value, digits) => {
  expect(decimalDigits(value)).toBe(digits);
});

test.each([-1, 0.5, NaN, 1e15])('%d is CORRUPTION in a column of decimals', (value) => {
  expect(() => decimalDigits(value)).toThrow(expect.objectContaining({ code: 'CORRUPTION' }));
});

test('ids are printed as they were written', () => {
  const ids = Buffer.from(UUID.replaceAll('-', ''), 'hex');
  const text = Buffer.alloc(40, '.');
  expect(printUuid(text, 1, ids, 0)).toBe(37);
  expect(text.toString()).toBe(`.${UUID}...`);
  expect(printHex(text, printHex(text, 2, 0), 0xff)).toBe(6);
  expect(text.toString('utf8', 0, 8)).toBe('.100ff56');
});

test.each([
  ['123e4567-e89b-42d3-8456-426614174000', true],
  ['123e4567-e89b-42d3-b456-426614174000', true],
  ['123e4567-e89b-42d3-7456-426614174000', false],
  ['123e4567-e89b-42d3-c456-426614174000', false],
  ['123e4567-e89b-12d3-8456-426614174000', false],
])('%s is a random UUID: %s', (text, expected) => {
  expect(isRandomUuid(Buffer.from(`.${text}`), 1)).toBe(expected);
});
