// Indents compact JSON by four spaces, as Go's json.MarshalIndent does, chunk by chunk: the "Trace JSON" view of Jaeger UI
// requests this with ?prettyPrint=true, for traces of any size.
import { assert } from '../../base/assert.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';

const INDENT = Buffer.from('    ');
const NEWLINE = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN = new Set([0x5b, 0x7b]);
const CLOSE = new Set([0x5d, 0x7d]);

/** Indents compact JSON; {} and [] stay as they are. The chunks may be cut anywhere. */
export function* prettyJson(chunks: Iterable<Uint8Array>): Generator<Buffer, void, undefined> {
  const layout = new Layout();
  for (const chunk of chunks) {
    for (const byte of chunk) layout.push(byte);
    yield Buffer.from(layout.out.take());
  }
}

class Layout {
  readonly out = new ByteWriter(65_536);
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  /** The last byte was an opening bracket: the next byte decides whether a new line begins. */
  #isJustOpened = false;

  push(byte: number): void {
    if (this.#isInString) return this.#pushInString(byte);
    if (CLOSE.has(byte)) {
      assert(this.#depth > 0, 'JSON closes a bracket that it has not opened');
      this.#depth--;
      if (!this.#isJustOpened) this.#newLine();
      this.#isJustOpened = false;
      this.out.u8(byte);
      return;
    }
    if (this.#isJustOpened) this.#newLine();
    this.#isJustOpened = OPEN.has(byte);
    this.out.u8(byte);
    if (this.#isJustOpened) this.#depth++;
    else if (byte === QUOTE) this.#isInString = true;
    else if (byte === COMMA) this.#newLine();
    else if (byte === COLON) this.out.u8(0x20);
  }

  #pushInString(byte: number): void {
    this.out.u8(byte);
    if (this.#isEscaped) this.#isEscaped = false;
    else if (byte === BACKSLASH) this.#isEscaped = true;
    else if (byte === QUOTE) this.#isInString = false;
  }

  #newLine(): void {
    this.out.u8(NEWLINE);
    for (let i = 0; i < this.#depth; i++) this.out.raw(INDENT);
  }
}
