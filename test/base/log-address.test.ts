import { expect, test } from 'vitest';
import { logAddress, monitorAddresses } from '../../src/base/log-address.ts';

test('a log is named by its kind and some of its servers', () => {
  expect(logAddress.parse('')).toBeUndefined();
  expect(logAddress.parse('nats://n1:4222,10.0.0.2:4222,[::1]:4222')).toEqual({
    kind: 'jetstream',
    servers: ['n1:4222', '10.0.0.2:4222', '[::1]:4222'],
    isTls: false,
    topic: '',
  });
  expect(logAddress.parse('tls://n1:4222,tls://n2:4222')).toEqual({
    kind: 'jetstream',
    servers: ['n1:4222', 'n2:4222'],
    isTls: true,
    topic: '',
  });
  expect(logAddress.parse('kafka://n1:9092,n2:9092/shop.spans')).toEqual({
    kind: 'kafka',
    servers: ['n1:9092', 'n2:9092'],
    isTls: false,
    topic: 'shop.spans',
  });
  expect(logAddress.parse('kafka+tls://n1:9093/spans')).toMatchObject({ kind: 'kafka', isTls: true });
  for (const wrong of [
    'n1:4222',
    'nats://',
    'nats://n1',
    'nats://n1:4222,',
    'http://n1:4222',
    'nats://user:pass@n1:4222',
    'nats://n1:4222/spans',
    'kafka://n1:9092',
    'kafka://n1:9092/',
    'kafka://n1:9092/a/b',
    'kafka://n1/spans',
    'kafka://kafka://n1:9092/spans',
    'toString://n1:9092/spans',
  ])
    expect(() => logAddress.parse(wrong), wrong).toThrow(/expected nats:\/\/host:port,host:port or kafka:\/\//);
});

test('monitoring addresses are URLs', () => {
  expect(monitorAddresses.parse('')).toEqual([]);
  expect(monitorAddresses.parse('http://n1:8222, https://n2:8222')).toEqual(['http://n1:8222', 'https://n2:8222']);
  for (const wrong of ['n1:8222', 'http://n1:8222,', 'nats://n1'])
    expect(() => monitorAddresses.parse(wrong), wrong).toThrow(/expected http:\/\/host:port/);
});
