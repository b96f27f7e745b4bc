// What is found in texts, and what is not: by patterns, and by the ready rules.
import { describe, expect, test } from 'vitest';
import { findByPattern, READY_FINDERS } from '../../src/redaction/text-finders.ts';
import { compileRe2 } from '../../src/trace/pattern.ts';

function parts(text: string, found: readonly number[]): string[] {
  const out: string[] = [];
  for (let i = 0; i < found.length; i += 2) out.push(text.slice(found[i], found[i + 1]));
  return out;
}

const ready = (name: string, text: string): string[] => parts(text, READY_FINDERS.get(name)!(text));
const byPattern = (pattern: string, text: string): string[] => parts(text, findByPattern(compileRe2(pattern))(text));

/** `digits` with a check digit behind it, by Luhn. */
function withCheckDigit(digits: string): string {
  const sum = digits
    .split('')
    .reverse()
    .reduce((all, digit, i) => {
      const doubled = i % 2 === 0 ? 2 * Number(digit) : Number(digit);
      return all + (doubled > 9 ? doubled - 9 : doubled);
    }, 0);
  return digits + ((10 - (sum % 10)) % 10);
}

describe('card numbers', () => {
  test.each([
    ['Visa', '4111111111111111'],
    ['Visa of 13 digits', '4222222222222'],
    ['Visa of 19 digits', withCheckDigit('411111111111111111')],
    ['Mastercard', '5555555555554444'],
    ['Mastercard of the second range', '2223003122003222'],
    ['American Express', '378282246310005'],
    ['Diners Club', '30569309025904'],
    ['Discover', '6011111111111117'],
    ['JCB', '3530111333300000'],
    ['UnionPay', withCheckDigit('620000000000000')],
  ])('of %s', (_company, card) => {
    expect(ready('card-numbers', card)).toEqual([card]);
    expect(ready('card-numbers', `paid with ${card}, thanks.`)).toEqual([card]);
    expect(ready('card-numbers', `{"card":"${card}"}`)).toEqual([card]);
    const grouped = card.replace(/\d{4}(?=\d)/g, '$& ');
    expect(ready('card-numbers', `x=${grouped}&y=1`)).toEqual([grouped]);
    const dashed = card.replace(/\d{4}(?=\d)/g, '$&-');
    expect(ready('card-numbers', dashed)).toEqual([dashed]);
    const wrong = card.slice(0, -1) + ((Number(card.at(-1)) + 1) % 10);
    expect(ready('card-numbers', wrong)).toEqual([]);
  });

  test('among other groups of digits', () => {
    const text = 'order 123 4111 1111 1111 1111 12/29, then 2026-11-29 5555-5555-5555-4444 999.';
    expect(ready('card-numbers', text)).toEqual(['4111 1111 1111 1111', '5555-5555-5555-4444']);
    expect(ready('card-numbers', '4111111111111111 5555555555554444')).toEqual([
      '4111111111111111',
      '5555555555554444',
    ]);
  });

  test.each([
    ['a trace id', 'a4111111111111111b4111111111111111'],
    ['a longer number', '94111111111111111000000'],
    ['a fraction', '0.4111111111111111'],
    ['a time in nanoseconds', '1763600000123456789'],
    ['a number of no company', withCheckDigit('911111111111111')],
    ['a name', 'card_4111111111111111'],
  ])('not in %s', (_what, text) => {
    expect(ready('card-numbers', text)).toEqual([]);
  });
});

describe('tokens', () => {
  const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c';
  test.each([
    [`Bearer ${jwt}`, [jwt]],
    ['authorization: bearer tlt_AbCdEf0123456789-_', ['tlt_AbCdEf0123456789-_']],
    ['Bearer%20abcdefgh12345678==&x=1', ['abcdefgh12345678==']],
    [`GET /cb?token=${jwt}&state=5`, [jwt]],
    [`"${jwt}" and ${jwt}.`, [jwt, `${jwt}.`]],
    ['bearer of bad news', []],
    ['Bearer short', []],
    ['forbearer abcdefgh12345678', []],
    ['eyJust a word', []],
    ['keyJhbGciOiJIUzI1NiJ9.abcdef.abcdef', []],
  ])('%s', (text, found) => {
    expect(ready('tokens', text)).toEqual(found);
  });
});

describe('e-mail addresses', () => {
  test.each([
    ['bob@example.com', ['bob@example.com']],
    ['mail to <first.last+tag@mail.example.co.uk>, please', ['first.last+tag@mail.example.co.uk']],
    ['GET /u?mail=bob%40example.com&x=1', ['bob%40example.com']],
    ['jörg@bücher.de;ann@b.org', ['jörg@bücher.de', 'ann@b.org']],
    [`${'a'.repeat(5_000)}@example.com`, [`${'a'.repeat(5_000)}@example.com`]],
    ['user@host', []],
    ['@decorator.name', []],
    ['npm:react@18.2.0', []],
    ['100%40', []],
  ])('%s', (text, found) => {
    expect(ready('emails', text)).toEqual(found);
  });
});

describe('patterns', () => {
  test('find every match that is not empty', () => {
    expect(byPattern('[0-9]*', 'a12b3')).toEqual(['12', '3']);
    expect(byPattern('ключ=\\S+', '🐎 ключ=1 ключ=2')).toEqual(['ключ=1', 'ключ=2']);
    expect(byPattern('x', 'abc')).toEqual([]);
  });

  test('take the rest of a text whole that costs too much to look at', () => {
    const long = 'ab'.repeat(1 << 20);
    const found = byPattern('b', long);
    expect(found.at(-1)!.length).toBeGreaterThan(long.length * 0.9);
    expect(byPattern(`b{${500}}`, long)).toEqual([long]);
    // Each match looks at all that is left.
    const many = `${'ab'.repeat(20_000)}c`;
    expect(byPattern('a(.{0,50}x)?', many).join('')).toContain('c');
  });
});

test('a hostile text of the longest length that is looked at is dealt with', () => {
  const size = 1 << 20;
  for (const piece of ['eyJ-', 'eyJaaaaa.', 'a@', '%40', '1 ', '1-', '1', '4111 ', 'bearer ', 'a.b@c.', 'ab%40c.']) {
    const text = piece.repeat(Math.floor(size / piece.length));
    for (const find of READY_FINDERS.values()) expect(find(text).length % 2).toBe(0);
  }
  const long = '1'.repeat(size + 1);
  for (const find of READY_FINDERS.values()) expect(find(long)).toEqual([0, size + 1]);
});
