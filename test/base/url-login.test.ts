// What stands before the host of a URL goes into a header and into no message.
import { expect, test } from 'vitest';
import { hideLogins, splitLogin } from '../../src/base/url-login.ts';

test.each([
  ['http://me:p%40ss@127.0.0.1:8428/push?key=1', 'http://127.0.0.1:8428/push?key=1', 'me:p@ss'],
  ['https://me@host/', 'https://host/', 'me:'],
  ['https://:token@host/', 'https://host/', ':token'],
  ['http://u:50%@host/', 'http://host/', 'u:50%'],
  ['http://u%40:%ff%zz@host/', 'http://host/', 'u@:%ff%zz'],
])('%s is a URL and a header', (given, url, login) => {
  const authorization = `Basic ${Buffer.from(login).toString('base64')}`;
  expect(splitLogin(given)).toEqual({ url, headers: { authorization } });
});

test('a URL without a login stays as it is', () => {
  expect(splitLogin('http://host:1/a@b')).toEqual({ url: 'http://host:1/a@b', headers: {} });
});

test.each([
  ['got "nats://me:hunter2@a:1,tls://you:hunter2@b:1"', 'got "nats://secret@b:1"'],
  ['got "ftp://me:hun/ter2@a" and "http://b"', 'got "ftp://secret@a" and "http://b"'],
  ['nothing of the kind: a//b, c@d', 'nothing of the kind: a//b, c@d'],
])('%s is shown without its login', (text, shown) => expect(hideLogins(text)).toBe(shown));
