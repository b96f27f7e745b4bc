import { expect, test } from 'vitest';
import { formatLegacyTraceId, formatTraceId, parseTraceId } from '../../src/trace/ids.ts';

const HIGH = 'a1b2c3d4e5f60718293a4b5c6d7e8f90';
const LOW = '00000000000000001122334455667788';

test.each([
  [HIGH, HIGH],
  [HIGH.toUpperCase(), HIGH],
  ['1122334455667788', LOW],
  [LOW, LOW],
  ['1', '00000000000000000000000000000001'],
  ['A1b', '00000000000000000000000000000a1b'],
  ['0', '0'.repeat(32)],
  ['obLD1OX2BxgpOktcbX6PkA==', HIGH], // standard alphabet, padded
  ['obLD1OX2BxgpOktcbX6PkA', HIGH],
  ['ESIzRFVmd4g=', LOW], // 8 bytes
  ['ESIzRFVmd4g', LOW],
  ['+/+/+/+/+/+/+/+/+/+/+w==', 'fbffbffbffbffbffbffbffbffbffbffb'],
  [` ${HIGH}\n`, HIGH], // copied with what was around it
  ['\t1 ', '00000000000000000000000000000001'],
  ['-_-_-_-_-_-_-_-_-_-_-w', 'fbffbffbffbffbffbffbffbffbffbffb'],
])('%s is trace %s', (text, hex) => {
  expect(formatTraceId(parseTraceId(text)!)).toBe(hex);
});

test.each([
  '',
  'zz',
  'x'.repeat(32),
  `${HIGH}0`,
  '1 2',
  '  ',
  '0x1',
  '+/-_+/-_+/-_+/-_+/-_+w==',
  'obLD1OX2BxgpOktcbX6PkA=',
  'AAAz',
])('%j is no trace id', (text) => {
  expect(parseTraceId(text)).toBeUndefined();
});

test('the legacy form drops a high half of zeros, the other form never does', () => {
  expect(formatLegacyTraceId(parseTraceId(LOW)!)).toBe('1122334455667788');
  expect(formatLegacyTraceId(parseTraceId(HIGH)!)).toBe(HIGH);
  expect(formatLegacyTraceId(parseTraceId('0')!)).toBe('0'.repeat(16));
  expect(formatTraceId(new Uint8Array([1, 2]))).toBe(`${'0'.repeat(28)}0102`);
});
