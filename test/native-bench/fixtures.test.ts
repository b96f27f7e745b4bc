// The checked-in OTLP requests: both forms of each mean the same, and the set stays small.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decodeRequest, encodeRequest, spansOf, toOtlpJson } from '../support/otlp-proto.ts';

const directory = new URL('../../fixtures/otlp/', import.meta.url).pathname;
const names = readdirSync(directory).filter((name) => name.endsWith('.binpb'));
const setBytesMax = 200_000;

test.each(names)('%s is canonical protobuf and its JSON twin says the same', (name) => {
  const bytes = readFileSync(join(directory, name));
  const request = decodeRequest(bytes);
  expect(Buffer.compare(encodeRequest(request), bytes)).toBe(0);
  expect(JSON.parse(readFileSync(join(directory, name.replace('.binpb', '.json')), 'utf8'))).toEqual(
    JSON.parse(JSON.stringify(toOtlpJson(request))),
  );
  expect(spansOf(request)).toHaveLength(Number(/-(\d+)\.binpb$/.exec(name)?.[1]));
});

test('the set stays under 200 KB', () => {
  const sizes = readdirSync(directory).map((name) => readFileSync(join(directory, name)).length);
  expect(names.length).toBeGreaterThan(2);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(setBytesMax);
});
