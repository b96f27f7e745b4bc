// The layout of templates. A template holds the repeated properties of a span, interned as one sequence of int32, so
// that a row needs one number for them. It is a fixed head followed by fields; a field is an attribute (key + type) or
// one of the intrinsic fields below, which are rare enough to be stored as values like attributes.
//
//   span:   resource, scope, name, kind, status code, presence bits, flags, field*
//   event:  name, field*
//   link:   presence bits, flags, field*
//
// resource and scope index the batch's descriptor tables; name and keys its string table.

export const SPAN_RESOURCE = 0;
export const SPAN_SCOPE = 1;
export const SPAN_NAME = 2;
export const SPAN_KIND = 3;
export const SPAN_STATUS = 4;
export const SPAN_PRESENCE = 5;
export const SPAN_FLAGS = 6;
export const SPAN_HEAD = 7;

export const EVENT_NAME = 0;
export const EVENT_HEAD = 1;

export const LINK_PRESENCE = 0;
export const LINK_FLAGS = 1;
export const LINK_HEAD = 2;

/** Span presence bits: facts that proto3 distinguishes although the values are equal. */
export const HAS_STATUS = 1; // a Status message, even an empty one
export const HAS_ZERO_PARENT = 2; // parent_span_id given as eight zero bytes
export const HAS_EVENTS = 4;
export const HAS_LINKS = 8;

/** Link presence bits: an id of the usual length was sent, even if all zero. */
export const HAS_LINK_TRACE_ID = 1;
export const HAS_LINK_SPAN_ID = 2;

/** Value types of AnyValue. STRING, BYTES and RAW are ranges of the arena; other values are in the two words. */
export const TYPE_ABSENT = 0; // KeyValue without value
export const TYPE_EMPTY = 1; // AnyValue with nothing set
export const TYPE_STRING = 2;
export const TYPE_BOOL = 3;
export const TYPE_INT = 4;
export const TYPE_DOUBLE = 5;
export const TYPE_BYTES = 6;
export const TYPE_RAW = 7; // array, kvlist, or fields newer than this program: canonical AnyValue bytes

/** Their names for people, by number. */
export const TYPE_NAMES = ['absent', 'empty', 'string', 'bool', 'int', 'double', 'bytes', 'any'] as const;

/** Intrinsic fields of spans, events and links (one number space). */
export const FIELD_TRACE_STATE = 0; // string
export const FIELD_STATUS_MESSAGE = 1; // string
export const FIELD_DROPPED_ATTRIBUTES = 2; // int
export const FIELD_DROPPED_EVENTS = 3; // int
export const FIELD_DROPPED_LINKS = 4; // int
export const FIELD_END_TIME = 5; // int: end_time_unix_nano if end - start does not fit a double exactly
export const FIELD_EXTRA = 6; // bytes: unknown protobuf fields, verbatim
export const FIELD_TIME = 7; // int: an event's time_unix_nano if its distance to the span does not fit a double
export const FIELD_LINK_TRACE_ID = 8; // bytes: a link's ids when they are not 16 and 8 bytes
export const FIELD_LINK_SPAN_ID = 9;

/** A field in a template: id (the key's string id, or the intrinsic number), type, and whether it is intrinsic. */
export function attributeField(keyId: number, type: number): number {
  return keyId * 16 + type * 2;
}

export function intrinsicField(field: number, type: number): number {
  return field * 16 + type * 2 + 1;
}

export function fieldId(field: number): number {
  return field >>> 4;
}

export function fieldType(field: number): number {
  return (field >>> 1) & 7;
}

export function isIntrinsic(field: number): boolean {
  return (field & 1) === 1;
}

/** True for types whose words are (arena offset, length). */
export function isArenaType(type: number): boolean {
  return type === TYPE_STRING || type >= TYPE_BYTES;
}

/** Doubles hold every integer below this high word; larger times are stored as 64-bit fields. */
export const EXACT_HIGH_WORD_MAX = 1 << 21;
