import { expect, test } from 'vitest';
import { readBlockNames, textsOf } from '../../src/block/read-names.ts';
import { BlockReader } from '../../src/block/block-reader.ts';
import * as C from '../../src/block/block-columns.ts';
import type { OtlpKeyValue, OtlpRequest } from '../support/otlp-proto.ts';
import { attribute, batchOf, blockOf, NOON_NS, requestOf, span } from './scanned.ts';

function operationsOf(...requests: readonly OtlpRequest[]): string[] {
  const { operations } = readBlockNames(blockOf(batchOf(...requests)));
  return [...new Set(operations.map(({ service, name, kind }) => `${service} ${name} ${kind}`))].sort();
}

function tagsOf(...requests: readonly OtlpRequest[]): string[] {
  const { tags } = readBlockNames(blockOf(batchOf(...requests)));
  return [...new Set(tags.map(({ level, key, type }) => `${level} ${key} ${type}`))].sort();
}

test('operations are service, name and kind of every span', () => {
  expect(
    operationsOf(
      requestOf([
        span(1, { name: 'GET /', kind: 2 }),
        span(2, { name: 'GET /', kind: 3 }),
        span(3, { name: 'GET /', kind: 3 }),
      ]),
      requestOf([span(4, { name: '', kind: 0 })], ''),
      { resourceSpans: [{ scopeSpans: [{ spans: [span(5, { kind: -1 })] }] }] },
    ),
  ).toEqual(['empty-service-name empty-span-name 0', 'missing-service-name op -1', 'shop GET / 2', 'shop GET / 3']);
});

const EVERY_TYPE: readonly OtlpKeyValue[] = [
  attribute('absent', undefined),
  attribute('empty', {}),
  attribute('string', 's'),
  attribute('bool', { boolValue: false }),
  attribute('int', { intValue: 1n }),
  attribute('double', { doubleValue: 1 }),
  attribute('list', { arrayValue: {} }),
  attribute('map', { kvlistValue: {} }),
  attribute('bytes', { bytesValue: Uint8Array.of(1) }),
];
const TYPES = ['absent 0', 'bool 2', 'bytes 7', 'double 4', 'empty 0', 'int 3', 'list 5', 'map 5', 'string 1'];

test('tags are the keys of all five levels with their types', () => {
  const attributes = [...EVERY_TYPE];
  const request: OtlpRequest = {
    resourceSpans: [
      {
        resource: { attributes },
        scopeSpans: [
          {
            scope: { attributes },
            spans: [
              span(1, {
                attributes,
                events: [{ timeUnixNano: NOON_NS, attributes }],
                links: [{ traceId: new Uint8Array(16).fill(1), attributes }],
              }),
            ],
          },
        ],
      },
    ],
  };
  const expected = ['event', 'link', 'resource', 'scope', 'span'].flatMap((level) =>
    TYPES.map((type) => `${level} ${type}`),
  );
  expect(tagsOf(request)).toEqual(expected);
  // Once more: descriptors read before are remembered.
  expect(tagsOf(request)).toEqual(expected);
});

test('intrinsic fields are no tags', () => {
  const spans = [
    span(1, {
      traceState: 'a=b',
      droppedAttributesCount: 1,
      status: { message: 'm' },
      links: [{ spanId: Uint8Array.of(1) }],
    }),
  ];
  expect(tagsOf(requestOf(spans))).toEqual(['resource service.name 1']);
});

test('thousands of different resources are read right, whatever is remembered of them', () => {
  for (let round = 0; round < 3; round++) {
    const requests = Array.from({ length: 600 }, (_, i) => {
      const request = requestOf([span(i + 1)], `service-${round}-${i}`);
      request.resourceSpans![0]!.resource!.attributes!.push(
        attribute('padding', 'x'.repeat(6000)),
        attribute(`key-${i}`, 'v'),
      );
      return request;
    });
    expect(operationsOf(...requests)).toEqual(
      Array.from({ length: 600 }, (_, i) => `service-${round}-${i} op 0`).sort(),
    );
    expect(tagsOf(...requests)).toHaveLength(602);
  }
});

test('texts are views in the order of their list', () => {
  const block = new BlockReader(
    blockOf(batchOf(requestOf([span(1, { name: 'n', attributes: [attribute('k', 'v')] })]))),
  );
  expect(textsOf(block.list(C.COLUMN_STRINGS)).map((text) => Buffer.from(text).toString())).toEqual(['n', 'k']);
  expect(textsOf(block.list(C.COLUMN_LINK_IDS))).toEqual([]);
});
