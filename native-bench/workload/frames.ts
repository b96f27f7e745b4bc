// A frames file is captured or generated OTLP traffic, one request after the other:
//   uint32 LE length of the body | uint32 LE spans in it | body (ExportTraceServiceRequest, protobuf)
// The same framing as the captured corpora. Reading streams, so a file may be larger than memory.
import { closeSync, openSync, readSync, writeSync } from 'node:fs';

export interface Frame {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly spans: number;
}

const headBytes = 8;
// Larger than any request a server accepts; a larger length means that the file is not a frames file.
const bodyBytesMax = 64 << 20;

/** Yields the requests of a file. Each body has a buffer of its own, so it may be transferred or patched. */
export function* readFrames(path: string): Generator<Frame> {
  const file = openSync(path, 'r');
  try {
    const head = Buffer.alloc(headBytes);
    for (let at = 0; ;) {
      const got = readSync(file, head, 0, headBytes, at);
      if (got === 0) return;
      const bodyBytes = head.readUInt32LE(0);
      if (got < headBytes || bodyBytes > bodyBytesMax) throw notFrames(path, at);
      const body = new Uint8Array(bodyBytes);
      if (readSync(file, body, 0, bodyBytes, at + headBytes) < bodyBytes) throw notFrames(path, at);
      yield { body, spans: head.readUInt32LE(4) };
      at += headBytes + bodyBytes;
    }
  } finally {
    closeSync(file);
  }
}

function notFrames(path: string, at: number): Error {
  return new Error(`${path}: no whole frame at byte ${at}; is this a frames file (uint32 length, uint32 spans, body)?`);
}

/** Writes a frames file; close() it, or bind it with `using`. */
export class FrameWriter implements Disposable {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, 'w');
  }

  write(frame: Frame): void {
    const head = Buffer.alloc(headBytes);
    head.writeUInt32LE(frame.body.length, 0);
    head.writeUInt32LE(frame.spans, 4);
    this.#writeAll(head);
    this.#writeAll(frame.body);
  }

  close(): void {
    closeSync(this.#file);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #writeAll(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) done += writeSync(this.#file, bytes, done, bytes.length - done);
  }
}
