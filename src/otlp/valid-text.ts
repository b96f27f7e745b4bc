// Replaces invalid UTF-8 in TracesData, because protobuf clients refuse a whole message, and the stream, for one
// invalid string. Stored data stays unchanged. Here an attribute's value with invalid UTF-8 becomes a bytes value with
// the same bytes; in other texts U+FFFD replaces the invalid bytes. Nearly all traces pass unchanged, at 1 us a span.
import { assert } from '../base/assert.ts';
import { limits } from '../base/limits.ts';
import { isAscii, isUtf8Range, utf8Slice } from '../bytes/json-writer.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { WireReader, WIRE_BYTES } from '../bytes/wire-reader.ts';
import { BYTES } from '../trace/any-value.ts';
import { ANY_VALUE, KEY_VALUE, messageOf, TRACES, type Field, type Schema } from './json-schema.ts';

/** Messages from TracesData to an event's attribute value, then list, pair and value per level of values. */
const NESTING_MAX = 7 + 3 * limits.anyValueDepthMax;

/** The TracesData with valid UTF-8 only, or the same array if it was valid. Throws INVALID_REQUEST. */
export function withValidText(traces: Uint8Array): Uint8Array {
  const texts = new Texts(traces);
  return texts.areValid(0, traces.length, TRACES) ? traces : texts.mend();
}

class Texts {
  readonly #bytes: Uint8Array;
  readonly #out = new ByteWriter();
  /** One cursor per nesting level. */
  readonly #readers: WireReader[] = [];
  #depth = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  areValid(start: number, end: number, schema: Schema): boolean {
    const reader = this.#enter(start, end);
    const { byNumber } = schema;
    let isValid = true;
    while (isValid && reader.next()) {
      const field = reader.wire === WIRE_BYTES ? byNumber[reader.field] : undefined;
      if (field === undefined || hasNoText(field)) continue;
      const { valueStart, valueEnd } = reader;
      // Attributes are most of a trace, and most are pure ASCII: tags, lengths and texts.
      if (field.schema === KEY_VALUE && isAscii(this.#bytes, valueStart, valueEnd)) continue;
      isValid = isText(field)
        ? isUtf8Range(this.#bytes, valueStart, valueEnd)
        : this.areValid(valueStart, valueEnd, messageOf(field));
    }
    this.#depth--;
    return isValid;
  }

  mend(): Uint8Array {
    this.#message(0, this.#bytes.length, TRACES);
    assert(this.#depth === 0, 'a message was left twice or never');
    return this.#out.take();
  }

  #message(start: number, end: number, schema: Schema): void {
    const out = this.#out;
    const reader = this.#enter(start, end);
    while (reader.next()) {
      const { valueStart, valueEnd } = reader;
      const field = reader.wire === WIRE_BYTES ? schema.byNumber[reader.field] : undefined;
      const isKept =
        field === undefined || hasNoText(field) || (isText(field) && isUtf8Range(this.#bytes, valueStart, valueEnd));
      if (isKept) out.rawRange(this.#bytes, reader.fieldStart, reader.pos);
      else if (!isText(field)) {
        out.tag(field.number, WIRE_BYTES);
        const at = out.beginMessage();
        this.#message(valueStart, valueEnd, messageOf(field));
        out.endMessage(at);
      } else if (schema === ANY_VALUE) out.bytesField(BYTES, reader.value());
      else out.bytesField(field.number, Buffer.from(utf8Slice(this.#bytes, valueStart, valueEnd)));
    }
    this.#depth--;
  }

  #enter(start: number, end: number): WireReader {
    assert(this.#depth < NESTING_MAX, `stored values are nested deeper than ${limits.anyValueDepthMax} levels`);
    return (this.#readers[this.#depth++] ??= new WireReader(this.#bytes)).reset(start, end);
  }
}

function hasNoText({ kind }: Field): boolean {
  return kind === 'id' || kind === 'bytes';
}

function isText({ kind }: Field): boolean {
  return kind === 'string' || kind === 'strings';
}
