import { expect, test } from 'vitest';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import { operationName, serviceName } from '../../src/trace/service-name.ts';

type Write = (out: ByteWriter) => void;

/** A resource of attributes given as [key, AnyValue body or nothing]. */
function resource(...attributes: readonly (readonly [key: string, value?: Write])[]): Uint8Array {
  const out = new ByteWriter();
  for (const [key, value] of attributes) {
    out.message(1, () => {
      if (key !== '') out.stringField(1, key);
      if (value !== undefined) out.message(2, () => value(out));
    });
  }
  return out.take();
}

const text =
  (value: string): Write =>
  (out) =>
    out.stringField(1, value);

test.each<[string, Uint8Array, string]>([
  ['its text', resource(['host', text('h')], ['service.name', text('shop')]), 'shop'],
  ['of several, the first', resource(['service.name', text('a')], ['service.name', text('b')]), 'a'],
  ['no resource at all', new Uint8Array(0), 'missing-service-name'],
  ['no such attribute', resource(['service.names', text('x')], ['', text('y')]), 'missing-service-name'],
  ['an empty text', resource(['service.name', text('')]), 'empty-service-name'],
  ['an int', resource(['service.name', (out) => (out.tag(3, 0), out.varint(5))]), 'service-name-wrong-type'],
  ['bytes', resource(['service.name', (out) => out.bytesField(7, Uint8Array.of(65))]), 'service-name-wrong-type'],
  ['an empty value', resource(['service.name', () => undefined]), 'service-name-wrong-type'],
  ['no value', resource(['service.name']), 'service-name-wrong-type'],
  [
    'text with a field of a newer OTLP behind',
    resource(['service.name', (out) => (text('shop')(out), out.stringField(9, 'new'))]),
    'shop',
  ],
  [
    'text that is not UTF-8',
    resource(['service.name', (out) => out.bytesField(1, Uint8Array.of(0x61, 0xff))]),
    'a\ufffd',
  ],
])('the service of %s', (_, message, expected) => {
  expect(serviceName(message)).toBe(expected);
});

test('a span without a name is listed by one', () => {
  expect([operationName('GET /'), operationName('')]).toEqual(['GET /', 'empty-span-name']);
});
