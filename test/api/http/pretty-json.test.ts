import { expect, test } from 'vitest';
import { prettyJson } from '../../../src/api/http/pretty-json.ts';

function pretty(text: string, chunkBytes: number): string {
  const bytes = Buffer.from(text);
  const chunks = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) chunks.push(bytes.subarray(at, at + chunkBytes));
  return Buffer.concat([...prettyJson(chunks)]).toString('utf8');
}

test.each([{}, [], null, 'x', { a: [], b: {}, c: [1, [2, {}], { d: null }], 'k"e\\y': 'v: {"x"},\\" [ž🐎]' }])(
  '%j is laid out with four spaces, wherever the chunks are cut',
  (value) => {
    for (const chunkBytes of [1, 3, 1_000]) {
      expect(pretty(JSON.stringify(value), chunkBytes)).toBe(JSON.stringify(value, undefined, 4));
    }
  },
);
