// What is known of a resource is shared by equal messages, and forgotten only when there are too many.
import { expect, test } from 'vitest';
import { knownResources } from '../../../src/api/jaeger/known-resources.ts';
import { ByteWriter } from '../../../src/bytes/byte-writer.ts';

function resource(attributes: Readonly<Record<string, string>>): Buffer {
  const out = new ByteWriter();
  for (const [key, value] of Object.entries(attributes)) {
    out.message(1, () => {
      out.stringField(1, key);
      out.message(2, () => out.stringField(1, value));
    });
  }
  return Buffer.from(out.take());
}

const find = (bytes: Buffer): ReturnType<typeof knownResources.find> => knownResources.find(bytes, 0, bytes.length);

test('equal messages share what is known, wherever they lie', () => {
  const one = resource({ 'service.name': 'shop', 'host.name': 'h1' });
  const known = find(one);
  expect(known).toMatchObject({ service: 'shop', hostKey: 'h1' });
  const among = Buffer.concat([Buffer.from('before'), one, Buffer.from('after')]);
  expect(knownResources.find(among, 6, 6 + one.length)).toBe(known);
  expect(find(resource({ 'service.name': 'shop', 'host.name': 'h2' })).hostKey).toBe('h2');
});

test('bytes that differ only above ASCII are different resources', () => {
  const names = ['\u00e9', '\u00e8', '\u{1f600}', '\u{1f601}'];
  expect(names.map((name) => find(resource({ 'service.name': name })).service)).toEqual(names);
});

test('after a flood of resources, each is read anew and right', () => {
  const first = resource({ 'service.name': 'first' });
  const known = find(first);
  for (let i = 0; i < 2_000; i++) find(resource({ 'service.name': `s${i}`, pad: 'x'.repeat(1_000) }));
  expect(find(first)).not.toBe(known);
  expect(find(first)).toEqual(known);
});
