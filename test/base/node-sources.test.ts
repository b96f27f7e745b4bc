// The forms of -storageNode, and what is refused.
import { expect, test } from 'vitest';
import { nodeSources, parseNodeSources } from '../../src/base/node-sources.ts';

test('every form, with commas', () => {
  expect(nodeSources.parse('a:1,[::1]:2, dns:stores.example:3 ,dns+srv:_grpc._tcp.stores,file:///etc/nodes')).toEqual([
    { kind: 'address', host: 'a', port: 1 },
    { kind: 'address', host: '::1', port: 2 },
    { kind: 'dns', name: 'stores.example', port: 3 },
    { kind: 'srv', name: '_grpc._tcp.stores' },
    { kind: 'file', path: '/etc/nodes' },
  ]);
  expect(nodeSources.parse('')).toEqual([]);
});

test('a file has one or more a line, and no files', () => {
  expect(parseNodeSources('a:1\n\n b:2,c:3\r\n', false)).toHaveLength(3);
  expect(() => parseNodeSources('file:///etc/nodes', false)).toThrow(/expected host:port/);
});

test.each(['a', ':1', 'a:70000', 'http://a:1', 'dns:a', 'dns+srv:', 'file://relative', 'a:1;b:2'])(
  '%s is refused',
  (text) => {
    expect(() => nodeSources.parse(text)).toThrow(
      /expected host:port, file:\/\/\/path, dns\+srv:name or dns:name:port, got/,
    );
  },
);
