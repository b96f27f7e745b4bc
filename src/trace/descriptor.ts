// A resource or scope as it is interned: a presence byte, its schema URL, its canonical OTLP message.
import { StoreError } from '../base/errors.ts';

/** Splits a descriptor (see SpanBatch.resources) into its three pieces. Throws CORRUPTION when it is too short. */
export function parseDescriptor(bytes: Uint8Array): { isPresent: boolean; schemaUrl: Uint8Array; message: Uint8Array } {
  let size = 0;
  let at = 1;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]!;
    size |= (byte & 127) << shift;
    if (byte < 128) break;
    if (at >= bytes.length || shift > 21) throw new StoreError('CORRUPTION', 'a descriptor ends inside a length');
  }
  if (at + size > bytes.length) throw new StoreError('CORRUPTION', 'a descriptor ends inside its schema URL');
  return { isPresent: bytes[0] === 1, schemaUrl: bytes.subarray(at, at + size), message: bytes.subarray(at + size) };
}
