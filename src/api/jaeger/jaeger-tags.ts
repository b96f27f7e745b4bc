// One attribute as a tag of Jaeger's legacy JSON (contract/jaeger.md §1.8, §4.2), and the attributes that this view adds.
import { formatDouble, formatInt64 } from '../../bytes/json-writer.ts';
import type { JsonWriter } from '../../bytes/json-writer.ts';
import { BOOL, BYTES, DOUBLE, INT, STRING } from '../../trace/any-value.ts';
import { infiniteText, textOf, type Attribute } from '../../trace/attributes.ts';
import { doubleOf } from '../../bytes/double-of.ts';

/** A string attribute that is not in the trace's bytes. */
export function textAttribute(key: string, text: string): Attribute {
  return { key, type: STRING, lo: 0, hi: 0, own: text };
}

/** Whether two attributes have equal type and value. */
export function isSameValue(bytes: Uint8Array, a: Attribute, b: Attribute): boolean {
  return a.type === b.type && textOf(bytes, a) === textOf(bytes, b);
}

/** Writes `{"key":…,"type":…,"value":…}`. */
export function writeTag(out: JsonWriter, bytes: Uint8Array, attribute: Attribute): void {
  const { type, lo, hi, own } = attribute;
  out.text('{"key":');
  out.string(attribute.key);
  switch (type) {
    case BOOL:
      out.text(lo === 0 && hi === 0 ? ',"type":"bool","value":false}' : ',"type":"bool","value":true}');
      return;
    case INT:
      out.text(`,"type":"int64","value":${int64Json(lo, hi)}}`);
      return;
    case DOUBLE: {
      const value = doubleOf(lo, hi);
      out.text(
        `,"type":"float64","value":${Number.isFinite(value) ? formatDouble(value) : `"${infiniteText(value)}"`}}`,
      );
      return;
    }
    case BYTES:
      out.text(',"type":"binary","value":');
      if (own instanceof Uint8Array) out.base64(own, 0, own.length);
      else out.base64(bytes, lo, hi);
      break;
    default:
      out.text(',"type":"string","value":');
      writeText(out, bytes, attribute);
  }
  out.text('}');
}

/** Writes the attribute's value as a string, quoted. */
export function writeText(out: JsonWriter, bytes: Uint8Array, attribute: Attribute): void {
  const { type, lo, hi, own } = attribute;
  if (type === STRING && own === undefined) out.utf8(bytes, lo, hi);
  else out.string(textOf(bytes, attribute));
}

/** An integer literal; beyond ±(2^53 − 1), where a browser would lose digits, a string. */
function int64Json(lo: number, hi: number): string {
  const text = formatInt64(lo, hi);
  return Number.isSafeInteger(Number(text)) ? text : `"${text}"`;
}
