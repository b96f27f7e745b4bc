// A keyed permutation of 64-bit and 128-bit ids: a Feistel network, so distinct ids stay distinct and equal ones equal without
// remembering any of them. Not cryptographic: it only has to look random to a compressor and never collide.

const rounds = 4;

export class IdPermutation {
  readonly #keys: Uint32Array = new Uint32Array(rounds * 2);

  constructor(seed: number) {
    let state = Math.imul(seed, 0x9e3779b1) ^ 0x7f4a7c15;
    for (let i = 0; i < this.#keys.length; i++) {
      state = (state + 0x9e3779b9) | 0;
      this.#keys[i] = scramble(state);
    }
  }

  spanId(bytes: Uint8Array, at: number): void {
    this.#permute(bytes, at, 0);
  }

  /** The high half's result goes into the low half, so that both look fresh even where one is constant. */
  traceId(bytes: Uint8Array, at: number): void {
    this.#permute(bytes, at, 0);
    for (let i = 0; i < 8; i++) bytes[at + 8 + i] = (bytes[at + 8 + i] ?? 0) ^ (bytes[at + i] ?? 0);
    this.#permute(bytes, at + 8, rounds);
  }

  /** A UUID's text: its 32 hex digits as 128 bits, version and variant digits kept. */
  uuid(bytes: Uint8Array, at: number): void {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + at, 36);
    const version = text[14] ?? 0;
    const variant = text[19] ?? 0;
    const id = Buffer.from(text.toString('latin1').replaceAll('-', ''), 'hex');
    this.traceId(id, 0);
    const h = id.toString('hex');
    text.write(`${h.slice(0, 8)}-${h.slice(8, 12)}-${h.slice(12, 16)}-${h.slice(16, 20)}-${h.slice(20)}`, 'latin1');
    text[14] = version;
    text[19] = variant;
  }

  #permute(bytes: Uint8Array, at: number, firstKey: number): void {
    let left = readUint32(bytes, at);
    let right = readUint32(bytes, at + 4);
    for (let round = 0; round < rounds; round++) {
      const next = left ^ scramble(right ^ (this.#keys[firstKey + round] ?? 0));
      left = right;
      right = next;
    }
    writeUint32(bytes, at, left);
    writeUint32(bytes, at + 4, right);
  }
}

/** murmur3's finaliser. */
function scramble(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)) >>> 0
  );
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}
