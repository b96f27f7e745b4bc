// Fields of a protobuf message replaced or removed, at any depth, every other byte as it was: only the lengths of the messages
// around them change. Needs no schema: what has an edit inside is a message. Pure.
import { assert } from '../base/assert.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { WireReader, WIRE_BYTES } from '../bytes/wire-reader.ts';

/** The field [start, end), its tag included. */
export interface FieldEdit {
  readonly start: number;
  readonly end: number;
  /** A field with its tag; undefined: the field goes. */
  readonly replacement: Uint8Array | undefined;
}

/** `edits` are ascending and do not overlap, and each is a field of the message or of one within. Uses no memory of `message`. */
export function applyEdits(message: Uint8Array, edits: readonly FieldEdit[]): Uint8Array<ArrayBuffer> {
  const editor = new Editor(message, edits);
  editor.write(0, message.length);
  assert(editor.isDone, 'an edit lies outside the message');
  return editor.out.take();
}

class Editor {
  readonly #message: Uint8Array;
  readonly #edits: readonly FieldEdit[];
  /** Of the next edit. */
  #at = 0;
  readonly out: ByteWriter;

  constructor(message: Uint8Array, edits: readonly FieldEdit[]) {
    this.#message = message;
    this.#edits = edits;
    this.out = new ByteWriter(message.length + 1_024);
  }

  get isDone(): boolean {
    return this.#at === this.#edits.length;
  }

  /** Writes the fields in [start, end) with their edits. */
  write(start: number, end: number): void {
    const fields = new WireReader(this.#message, start, end);
    let copied = start;
    while (this.#at < this.#edits.length && this.#edits[this.#at]!.start < end) {
      const edit = this.#edits[this.#at]!;
      assert(edit.start >= copied, 'edits overlap, or are not in order');
      while (fields.pos <= edit.start) assert(fields.next(), 'an edit lies behind the last field');
      this.out.rawRange(this.#message, copied, fields.fieldStart);
      copied = fields.pos;
      if (fields.fieldStart < edit.start) this.#rewrite(fields);
      else {
        assert(fields.pos === edit.end, 'an edit is not of a whole field');
        if (edit.replacement !== undefined) this.out.raw(edit.replacement);
        this.#at++;
      }
    }
    this.out.rawRange(this.#message, copied, end);
  }

  #rewrite({ field, valueStart, valueEnd }: WireReader): void {
    this.out.tag(field, WIRE_BYTES);
    const at = this.out.beginMessage();
    this.write(valueStart, valueEnd);
    this.out.endMessage(at);
  }
}
