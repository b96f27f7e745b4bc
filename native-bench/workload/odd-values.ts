// Attribute keys and values for the odd profile: every AnyValue type, high cardinality, hostile strings, duplicates.
import type { Attribute, AttributeValue } from './model.ts';
import type { Rng } from './rng.ts';

const hostileStrings = [
  '',
  ' ',
  '0',
  '-1',
  'true',
  'null',
  '00ff',
  '1e400',
  '\u0000',
  'line\nbreak',
  '"quoted"',
  '日本語のテキスト',
  '🙂🙃',
  '../../etc/passwd',
  '<b>bold</b>',
  "'; DROP TABLE spans;--",
];
const edgeDoubles = [0, -0, NaN, Infinity, -Infinity, 5e-324, 1.7976931348623157e308, 0.1, -273.15];
const edgeInt64 = [0n, -1n, 1n, 9223372036854775807n, -9223372036854775808n, 9007199254740993n, 2147483648n];
// AnyValues nest; receivers refuse unlimited depth, so the workload stays well under any limit.
const depthMax = 3;

/** `count` attributes; one list in ten has a key twice. */
export function oddAttributes(rng: Rng, count: number): Attribute[] {
  const out: Attribute[] = [];
  for (let i = 0; i < count; i++) out.push([key(rng), value(rng, 0)]);
  const first = out[0];
  if (first !== undefined && rng.chance(0.1)) out.push([first[0], value(rng, 0)]);
  return out;
}

function key(rng: Rng): string {
  const draw = rng.float();
  if (draw < 0.02) return `key.${rng.hex(16)}`;
  if (draw < 0.03) return rng.pick(hostileStrings);
  if (draw < 0.035) return `long.${'k'.repeat(100 + rng.int(200))}`;
  return `attr.${rng.zipf(500)}`;
}

function value(rng: Rng, depth: number): AttributeValue {
  const draw = rng.float();
  if (draw < 0.5) return text(rng);
  if (draw < 0.68) return rng.chance(0.5) ? rng.zipf(1000) : -rng.int(1e12);
  if (draw < 0.75)
    return {
      int64: rng.chance(0.3)
        ? rng.pick(edgeInt64)
        : BigInt.asIntN(64, (BigInt(rng.uint32()) << 32n) | BigInt(rng.uint32())),
    };
  if (draw < 0.84) return { double: rng.chance(0.2) ? rng.pick(edgeDoubles) : rng.logNormal(0, 10) };
  if (draw < 0.9) return rng.chance(0.5);
  if (draw < 0.93) return { bytes: rng.bytes(rng.int(64)) };
  if (draw < 0.95) return null;
  if (depth >= depthMax) return text(rng);
  if (draw < 0.98) return Array.from({ length: rng.int(5) }, () => value(rng, depth + 1));
  return { kvlist: Array.from({ length: rng.int(4) }, (): Attribute => [key(rng), value(rng, depth + 1)]) };
}

function text(rng: Rng): string {
  switch (rng.int(8)) {
    case 0:
      return rng.uuid();
    case 1:
      return `https://example.com/${rng.hex(6)}?id=${rng.int(1e9)}&page=${rng.int(50)}`;
    case 2:
      return `10.${rng.int(256)}.${rng.int(256)}.${rng.int(256)}:${rng.int(65536)}`;
    case 3:
      return rng.hex(1 + rng.int(64));
    case 4:
      return rng.pick(hostileStrings);
    case 5:
      return String(rng.int(1e9));
    case 6:
      return rng.chance(0.02) ? rng.hex(4000 + rng.int(8000)) : `value-${rng.zipf(100_000)}`;
    default:
      return `value-${rng.zipf(50)}`;
  }
}
