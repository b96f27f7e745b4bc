// The simplest valid snappy: literals only. As one block (snappyjs, Go's snappy.Encode) and as a framed stream of uncompressed
// chunks (Go's snappy.NewBufferedWriter). The oracle beside src/bytes/snappy.ts, with CRC-32C bit by bit.

/** A block: the length as a varint, then literals of at most 60 bytes. */
export function snappyLiteral(bytes: Uint8Array): Uint8Array {
  const pieces = [varint(bytes.length)];
  for (let at = 0; at < bytes.length; at += 60) {
    const piece = bytes.subarray(at, at + 60);
    pieces.push(Uint8Array.of((piece.length - 1) << 2), piece);
  }
  return Buffer.concat(pieces);
}

/** A stream: its identifier, then `bytes` half as a compressed and half as an uncompressed chunk. */
export function snappyFramed(bytes: Uint8Array): Uint8Array {
  const half = bytes.length >> 1;
  const first = bytes.subarray(0, half);
  const second = bytes.subarray(half);
  return Buffer.concat([
    frame(0xff, Buffer.from('sNaPpY')),
    frame(0x00, Buffer.concat([maskedCrc(first), snappyLiteral(first)])),
    frame(0x01, Buffer.concat([maskedCrc(second), second])),
  ]);
}

function frame(type: number, content: Uint8Array): Uint8Array {
  const { length } = content;
  return Buffer.concat([Uint8Array.of(type, length & 255, (length >> 8) & 255, length >> 16), content]);
}

function varint(value: number): Uint8Array {
  const bytes = [];
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  return Uint8Array.of(...bytes, value);
}

function maskedCrc(bytes: Uint8Array): Uint8Array {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f6_3b78 : 0);
  }
  crc = ~crc >>> 0;
  const out = Buffer.alloc(4);
  out.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282_ead8) >>> 0);
  return out;
}
