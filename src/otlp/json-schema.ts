// Tables of OTLP's trace messages, for JSON conversion in both directions and for finding texts: field numbers and
// names of opentelemetry-proto 1.x, each message's fields in the order in which the Collector writes them.
import { BOOL, BYTES, DOUBLE, INT, LIST, MAP, MEMBER_NAMES, STRING } from '../trace/any-value.ts';
import { WIRE_BYTES, WIRE_FIXED32, WIRE_FIXED64, WIRE_VARINT } from '../bytes/wire-reader.ts';

export type FieldKind =
  | 'id'
  | 'string'
  | 'strings'
  | 'uint32'
  | 'fixed32'
  | 'enum'
  | 'nanos'
  | 'messages'
  | 'message'
  | 'value'
  | 'values'
  | 'bool'
  | 'int'
  | 'double'
  | 'bytes';

export interface Field {
  readonly number: number;
  /** In camelCase, as in OTLP JSON. */
  readonly name: string;
  /** The other form that protobuf's JSON allows. */
  readonly snake: string;
  readonly kind: FieldKind;
  readonly schema: Schema;
}

export interface Schema {
  /** In JSON order. */
  readonly fields: readonly Field[];
  /** Wire type by field number; NO_WIRE for an unknown number. */
  readonly wires: Uint8Array;
  readonly byNumber: readonly (Field | undefined)[];
  /** In field number order. */
  readonly ordered: readonly Field[];
  /** Every name a field may have in JSON. */
  readonly names: ReadonlySet<string>;
}

export const NO_WIRE = 255;
const NO_FIELDS: Schema = { fields: [], wires: new Uint8Array(0), byNumber: [], ordered: [], names: new Set() };

const WIRE_OF: Readonly<Record<FieldKind, number>> = {
  id: WIRE_BYTES,
  string: WIRE_BYTES,
  strings: WIRE_BYTES,
  uint32: WIRE_VARINT,
  fixed32: WIRE_FIXED32,
  enum: WIRE_VARINT,
  nanos: WIRE_FIXED64,
  messages: WIRE_BYTES,
  message: WIRE_BYTES,
  value: WIRE_BYTES,
  values: WIRE_BYTES,
  bool: WIRE_VARINT,
  int: WIRE_VARINT,
  double: WIRE_FIXED64,
  bytes: WIRE_BYTES,
};

function schemaOf(...fields: readonly (readonly [number, string, FieldKind, Schema?])[]): Schema {
  const wires = new Uint8Array(Math.max(...fields.map(([number]) => number)) + 1).fill(NO_WIRE);
  for (const [number, , kind] of fields) wires[number] = WIRE_OF[kind];
  const made = fields.map(([number, name, kind, schema = NO_FIELDS]) => {
    const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    return { number, name, snake, kind, schema };
  });
  const byNumber = Array.from(wires, (_wire, number) => made.find((field) => field.number === number));
  const ordered = made.toSorted((a, b) => a.number - b.number);
  return { fields: made, wires, byNumber, ordered, names: new Set(made.flatMap(({ name, snake }) => [name, snake])) };
}

export const KEY_VALUE: Schema = schemaOf([1, 'key', 'string'], [2, 'value', 'value']);
const ENTITY_REF = schemaOf(
  [1, 'schemaUrl', 'string'],
  [2, 'type', 'string'],
  [3, 'idKeys', 'strings'],
  [4, 'descriptionKeys', 'strings'],
);
export const RESOURCE: Schema = schemaOf(
  [1, 'attributes', 'messages', KEY_VALUE],
  [2, 'droppedAttributesCount', 'uint32'],
  [3, 'entityRefs', 'messages', ENTITY_REF],
);
export const SCOPE: Schema = schemaOf(
  [1, 'name', 'string'],
  [2, 'version', 'string'],
  [3, 'attributes', 'messages', KEY_VALUE],
  [4, 'droppedAttributesCount', 'uint32'],
);
const EVENT = schemaOf(
  [1, 'timeUnixNano', 'nanos'],
  [2, 'name', 'string'],
  [3, 'attributes', 'messages', KEY_VALUE],
  [4, 'droppedAttributesCount', 'uint32'],
);
const LINK = schemaOf(
  [1, 'traceId', 'id'],
  [2, 'spanId', 'id'],
  [3, 'traceState', 'string'],
  [4, 'attributes', 'messages', KEY_VALUE],
  [5, 'droppedAttributesCount', 'uint32'],
  [6, 'flags', 'fixed32'],
);
const STATUS = schemaOf([2, 'message', 'string'], [3, 'code', 'enum']);
export const SPAN: Schema = schemaOf(
  [1, 'traceId', 'id'],
  [2, 'spanId', 'id'],
  [3, 'traceState', 'string'],
  [4, 'parentSpanId', 'id'],
  [16, 'flags', 'fixed32'],
  [5, 'name', 'string'],
  [6, 'kind', 'enum'],
  [7, 'startTimeUnixNano', 'nanos'],
  [8, 'endTimeUnixNano', 'nanos'],
  [9, 'attributes', 'messages', KEY_VALUE],
  [10, 'droppedAttributesCount', 'uint32'],
  [11, 'events', 'messages', EVENT],
  [12, 'droppedEventsCount', 'uint32'],
  [13, 'links', 'messages', LINK],
  [14, 'droppedLinksCount', 'uint32'],
  [15, 'status', 'message', STATUS],
);
export const ARRAY_VALUE: Schema = schemaOf([1, 'values', 'values']);
export const KEY_VALUE_LIST: Schema = schemaOf([1, 'values', 'messages', KEY_VALUE]);
/** The members of a oneof, of which one is set: for fields of the kinds `value` and `values`. */
export const ANY_VALUE: Schema = schemaOf(
  [STRING, MEMBER_NAMES[STRING], 'string'],
  [BOOL, MEMBER_NAMES[BOOL], 'bool'],
  [INT, MEMBER_NAMES[INT], 'int'],
  [DOUBLE, MEMBER_NAMES[DOUBLE], 'double'],
  [LIST, MEMBER_NAMES[LIST], 'message', ARRAY_VALUE],
  [MAP, MEMBER_NAMES[MAP], 'message', KEY_VALUE_LIST],
  [BYTES, MEMBER_NAMES[BYTES], 'bytes'],
);

/** The message type of a field with one or several messages. */
export function messageOf({ kind, schema }: Field): Schema {
  return kind === 'value' || kind === 'values' ? ANY_VALUE : schema;
}

const SCOPE_SPANS = schemaOf(
  [1, 'scope', 'message', SCOPE],
  [2, 'spans', 'messages', SPAN],
  [3, 'schemaUrl', 'string'],
);
const RESOURCE_SPANS = schemaOf(
  [1, 'resource', 'message', RESOURCE],
  [2, 'scopeSpans', 'messages', SCOPE_SPANS],
  [3, 'schemaUrl', 'string'],
);
export const TRACES: Schema = schemaOf([1, 'resourceSpans', 'messages', RESOURCE_SPANS]);

/**
 * A field number that no OTLP message uses. The JSON conversion reports an unknown name in it, as the text `"name" in
 * place` at the top level of the converted request, so that the scan reports unknown fields of both encodings.
 */
export const UNKNOWN_NAME_FIELD = 0x0fff_ffff;
