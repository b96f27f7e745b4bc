import { expect, test } from 'vitest';
import { KEY_VALUE_LIST, ARRAY_VALUE, NO_WIRE, RESOURCE, SCOPE, SPAN } from '../../src/otlp/json-schema.ts';
import type { Schema } from '../../src/otlp/json-schema.ts';

/** Every message that can be reached from those that are exported. */
function allSchemas(): Set<Schema> {
  const found = new Set<Schema>([SPAN, RESOURCE, SCOPE, ARRAY_VALUE, KEY_VALUE_LIST]);
  for (const schema of found) {
    for (const field of schema.fields) if (field.schema.fields.length > 0) found.add(field.schema);
  }
  return found;
}

test('numbers and names are unique within a message, and each known number has a wire type', () => {
  for (const { fields, wires } of allSchemas()) {
    const numbers = fields.map(({ number }) => number);
    expect(new Set(numbers).size).toBe(fields.length);
    expect(new Set(fields.map(({ name }) => name)).size).toBe(fields.length);
    expect([...wires].flatMap((wire, number) => (wire === NO_WIRE ? [] : [number]))).toEqual(
      numbers.toSorted((a, b) => a - b),
    );
  }
});

test('a span has the fields of opentelemetry-proto 1.x', () => {
  expect(SPAN.fields.map(({ number, name }) => `${number} ${name}`)).toEqual([
    '1 traceId',
    '2 spanId',
    '3 traceState',
    '4 parentSpanId',
    '16 flags',
    '5 name',
    '6 kind',
    '7 startTimeUnixNano',
    '8 endTimeUnixNano',
    '9 attributes',
    '10 droppedAttributesCount',
    '11 events',
    '12 droppedEventsCount',
    '13 links',
    '14 droppedLinksCount',
    '15 status',
  ]);
});
