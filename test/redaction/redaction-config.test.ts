// The file of -redaction.config, and where its mistakes are.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseRedactionConfig } from '../../src/redaction/redaction-config.ts';
import { root } from '../support/source-tree.ts';

const rulesOf = (...rules: object[]): string => JSON.stringify({ rules });

test('a rule has a name, an action, and says what it takes', () => {
  const [passwords, phones, cards] = parseRedactionConfig(
    rulesOf(
      { name: 'passwords', keys: '(?i).*(password|secret).*', action: 'drop' },
      { name: 'phones', services: 'shop|pay', keys: 'a|b', values: '\\+[0-9]{7,}', action: 'hash', mask: '*' },
      { ready: 'card-numbers' },
    ),
  );
  expect(passwords).toMatchObject({ name: 'passwords', action: 'drop', mask: '[redacted]', find: undefined });
  expect(passwords!.takesService).toBeUndefined();
  const keys = ['db.password', 'Secret', 'pass', 'password\n'];
  expect(keys.map(passwords!.takesKey!)).toEqual([true, true, false, false]);
  expect(phones).toMatchObject({ name: 'phones', action: 'hash', mask: '*' });
  expect(['shop', 'pay', 'shops', 'xpay', 'shop|pay'].map(phones!.takesService!)).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
  expect(['a', 'b', 'ab'].map(phones!.takesKey!)).toEqual([true, true, false]);
  expect(phones!.find!('call +4912345678 now')).toEqual([5, 16]);
  expect(cards).toMatchObject({ name: 'card-numbers', action: 'mask', takesKey: undefined });
  expect(cards!.find!('4111111111111111')).toEqual([0, 16]);
  expect(parseRedactionConfig('{}')).toEqual([]);
});

test('the example of the documentation is one', () => {
  const page = readFileSync(join(root, 'docs/operations/redaction.md'), 'utf8');
  const rules = parseRedactionConfig(/```json\n([^]*?)```/.exec(page)![1]!);
  expect(rules.map(({ name, action }) => `${action} ${name}`)).toEqual([
    'drop passwords',
    'hash users',
    'mask phones',
    'mask card-numbers',
    'mask tokens',
    'hash emails',
  ]);
  expect(rules[0]!.takesKey!('db.ApiKey')).toBe(true);
  expect(rules[1]!.takesKey!('user.id')).toBe(true);
});

describe('a mistake is refused with its place', () => {
  test.each([
    ['', 'expected JSON'],
    ['[]', 'the file: expected an object'],
    ['{"rule":[]}', 'the file: rule is not one of rules'],
    ['{"rules":{}}', 'rules: expected a list of at most 100 rules'],
    [rulesOf(...Array.from({ length: 101 }, () => ({}))), 'rules: expected a list of at most 100 rules'],
    ['{"rules":[5]}', 'rules[0]: expected an object'],
    [rulesOf({ name: 'a', key: 'x', action: 'drop' }), 'rules[0]: key is not one of name, ready, services, keys'],
    [rulesOf({ name: 'a', action: 'drop' }), 'rules[0]: expected keys, values or ready'],
    [rulesOf({ name: 'a', services: 'x', action: 'drop' }), 'rules[0]: expected keys, values or ready'],
    [rulesOf({ keys: 'x', action: 'drop' }), 'rules[0].name: expected 1 to 64'],
    [rulesOf({ name: 'A b', keys: 'x', action: 'drop' }), 'rules[0].name: expected 1 to 64'],
    [rulesOf({ name: 'a', keys: 'x' }), 'rules[0].action: expected drop, hash, mask'],
    [rulesOf({ name: 'a', keys: 'x', action: 'encrypt' }), 'rules[0].action: expected drop, hash, mask'],
    [rulesOf({ name: 'a', keys: 'x', action: 'mask', mask: 5 }), 'rules[0].mask: expected a text'],
    [rulesOf({ name: 'a', keys: 'x', action: 'mask', mask: 'x'.repeat(101) }), 'rules[0].mask: expected a text'],
    [rulesOf({ ready: 'emails' }, { name: 'b', keys: '(', action: 'drop' }), 'rules[1].keys: error parsing regexp'],
    [rulesOf({ name: 'a', values: '(?=x)', action: 'drop' }), 'rules[0].values: error parsing regexp'],
    [rulesOf({ name: 'a', values: '', action: 'drop' }), 'rules[0].values: expected a regular expression'],
    [rulesOf({ name: 'a', keys: ['x'], action: 'drop' }), 'rules[0].keys: expected a regular expression'],
    [rulesOf({ name: 'a', services: 'x{9999}', keys: 'x', action: 'drop' }), 'rules[0].services:'],
    [rulesOf({ ready: 'cards' }), 'rules[0].ready: expected one of card-numbers, tokens, emails'],
    [rulesOf({ ready: 'emails', values: 'x' }), 'rules[0]: ready and values exclude each other'],
    [rulesOf({ ready: 'emails' }, { ready: 'emails' }), 'rules[1].name: another rule is called emails'],
  ])('%s', (text, message) => {
    expect(() => parseRedactionConfig(text)).toThrow(expect.objectContaining({ code: 'CONFIG' }));
    expect(() => parseRedactionConfig(text)).toThrow(message);
  });
});
