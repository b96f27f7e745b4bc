// Which rules meet a key or a text, and what they leave.
import { describe, expect, test } from 'vitest';
import { parseRedactionConfig } from '../../src/redaction/redaction-config.ts';
import { isHashed, ServicePlan } from '../../src/redaction/redaction-plan.ts';

const HASH = `hmac:${'0123456789abcdef'.repeat(2)}`;

function planOf(...rules: object[]): ServicePlan {
  return new ServicePlan(parseRedactionConfig(JSON.stringify({ rules })), () => HASH);
}

const digits = { name: 'digits', values: '[0-9]+', action: 'mask', mask: '#' };
const hashed = { name: 'words', values: 'secret-\\w+', action: 'hash' };

describe('a key', () => {
  const plan = planOf(
    { name: 'own', keys: 'mail', action: 'mask' },
    { name: 'path', keys: 'user\\.name', action: 'drop' },
    { name: 'later', keys: 'mail|other', action: 'drop' },
    digits,
    { ...digits, name: 'more', keys: 'free' },
  );

  test('meets the first rule for whole values, by itself or by its path', () => {
    const wholeOf = (key: string, path = key): string | undefined => plan.ofKey(key, path).whole?.name;
    expect([wholeOf('mail'), wholeOf('other'), wholeOf('mails'), wholeOf('')]).toEqual([
      'own',
      'later',
      undefined,
      undefined,
    ]);
    expect([wholeOf('mail', 'user.mail'), wholeOf('name', 'user.name'), wholeOf('name')]).toEqual([
      'own',
      'path',
      undefined,
    ]);
    // The same path, another key; and a key that looks like both.
    expect(wholeOf('user.name', 'user.name')).toBe('path');
    expect([wholeOf('x', 'mail.x'), wholeOf('mail', 'x.mail'), wholeOf('x.mail\nmail')]).toEqual([
      undefined,
      'own',
      undefined,
    ]);
  });

  test('has the rules for texts of any key, and those of its own', () => {
    expect(
      plan
        .ofKey('free', 'free')
        .texts?.redact('5')
        ?.rules.map(({ name }) => name),
    ).toEqual(['digits']);
    expect(plan.ofKey('x', 'x').texts).toBe(plan.ofKey('y', 'y').texts);
    expect(plan.texts).toBe(plan.ofKey('x', 'x').texts);
    expect(planOf({ ...digits, keys: 'x' }).texts).toBeUndefined();
    expect(planOf().isIdle).toBe(true);
  });
});

describe('a text', () => {
  const redact = (text: string, ...rules: object[]): unknown => {
    const { texts } = planOf(...rules);
    const found = texts?.redact(text);
    expect(texts?.redact(text), 'the second time').toEqual(found);
    return found && { text: found.text, rules: found.rules.map(({ name }) => name) };
  };

  test('loses what the rules find, one after the other', () => {
    expect(redact('a1b22 secret-x', digits, hashed)).toEqual({ text: `a#b# ${HASH}`, rules: ['digits', 'words'] });
    expect(redact('nothing', digits, hashed)).toBeUndefined();
    expect(redact('', digits, hashed)).toBeUndefined();
    expect(redact('a1', hashed, { ...digits, action: 'drop' })).toEqual({ text: undefined, rules: ['digits'] });
  });

  test('that was redacted before stays what it is, and what stands beside it is seen', () => {
    const any = { ...digits, values: '\\w+|(?s).+' };
    for (const rules of [[digits], [hashed], [any], [{ ...digits, action: 'drop' }], [{ ...any, action: 'hash' }]])
      expect(redact(HASH, ...rules)).toBeUndefined();
    expect(redact('#', digits)).toBeUndefined();
    expect(redact('[redacted]', { name: 'all', values: '.+', action: 'mask' })).toBeUndefined();
    expect(redact(`1${HASH}2${HASH}3`, digits)).toEqual({ text: `#${HASH}#${HASH}#`, rules: ['digits'] });
    expect(redact(`${HASH}99`, { ...digits, values: '.+' })).toEqual({ text: `${HASH}#`, rules: ['digits'] });
    const twice = redact('secret-a', hashed) as { text: string };
    expect(redact(twice.text, hashed)).toBeUndefined();
  });
});

test('a hash is known by its form', () => {
  expect([HASH, `${HASH}0`, HASH.slice(1), 'hmac:'].map(isHashed)).toEqual([true, false, false, false]);
});
