// The members of OTLP's AnyValue, the value of an attribute: field numbers, names and wire types. TYPE_* of
// templates.ts is another list: how columns store a value of each type.
import { WIRE_BYTES, WIRE_FIXED64, WIRE_VARINT } from '../bytes/wire-reader.ts';

/** Field numbers; 0 is a value without a member. */
export const EMPTY = 0;
export const STRING = 1;
export const BOOL = 2;
export const INT = 3;
export const DOUBLE = 4;
export const LIST = 5;
export const MAP = 6;
export const BYTES = 7;

/** Names in OTLP JSON, by field number. */
export const MEMBER_NAMES = [
  '',
  'stringValue',
  'boolValue',
  'intValue',
  'doubleValue',
  'arrayValue',
  'kvlistValue',
  'bytesValue',
] as const;

/** The wire type of a member, 1 to 7. */
export function wireOfMember(field: number): number {
  return field === BOOL || field === INT ? WIRE_VARINT : field === DOUBLE ? WIRE_FIXED64 : WIRE_BYTES;
}
