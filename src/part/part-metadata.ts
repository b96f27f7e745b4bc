// The `metadata` file of a part, kept in memory while the part is listed: a block table for pruning, the fences of the
// trace lookup, and the part's inputs, so that a lost catalog can be rebuilt from the parts alone. Sections of (kind,
// length, bytes, CRC); byte layout and history: docs/format/part.md.
import { StoreError } from '../base/errors.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { crc32 } from '../bytes/crc32.ts';
import type { Tenant } from '../trace/tenant.ts';
import { encodeFileHeader, fileHeaderSize, PART_METADATA_FORMAT, readFileHeader } from './format-version.ts';
import { formatHexId } from './hex-id.ts';
import { decodePartId, encodePartId, IDENTITY_BYTES, type Identity, type PartId } from './identity.ts';

/**
 * One row of the block table. Times are ns since the day's 00:00 UTC, exact integers in a double, as in block headers.
 */
export interface PartBlock {
  readonly offset: number;
  readonly sizeBytes: number;
  readonly tenant: Tenant;
  readonly rowCount: number;
  readonly traceCount: number;
  readonly startMin: number;
  readonly startMax: number;
  readonly durationMin: number;
  readonly durationMax: number;
  /** Size of the block's filter without its CRC. */
  readonly filterBytes: number;
}

/** The inputs that a part replaces: log files up to a sequence number, other parts. */
export interface PartOrigin {
  /** This part or an older one holds every log file with this or a lower number; 0: no log file. */
  readonly logSeqMax: number;
  readonly partIds: readonly PartId[];
}

export interface PartMetadata {
  /** The identity in the headers of all its files; undefined: a part of format 1. */
  readonly identity: Identity | undefined;
  /** Days since 1970-01-01 UTC. */
  readonly day: number;
  readonly origin: PartOrigin;
  readonly rowCount: number;
  /** Sizes of the other files; rollupsBytes 0: the part has no `rollups` file. */
  readonly dataBytes: number;
  readonly tracesBytes: number;
  readonly filtersBytes: number;
  readonly rollupsBytes: number;
  readonly blocks: readonly PartBlock[];
  /** First key of each page of `traces`. */
  readonly fences: Uint32Array;
}

const SECTION_END = 0;
const SECTION_PART = 1;
const SECTION_TENANTS = 2;
const SECTION_BLOCKS = 3;
const SECTION_FENCES = 4;

/** Fixed width of a block table row on disk. */
const BLOCK_ROW_SIZE = 60;

/** The whole file of a new part. */
export function encodePartMetadata(metadata: PartMetadata & { readonly identity: Identity }): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter(4096 + metadata.blocks.length * BLOCK_ROW_SIZE + metadata.fences.byteLength);
  out.raw(encodeFileHeader(PART_METADATA_FORMAT, metadata.identity));
  const tenants = [...new Set(metadata.blocks.map((block) => block.tenant))];
  section(out, SECTION_PART, () => encodePart(out, metadata));
  section(out, SECTION_TENANTS, () => encodeTenants(out, tenants));
  section(out, SECTION_BLOCKS, () => encodeBlocks(out, metadata.blocks, tenants));
  section(out, SECTION_FENCES, () => metadata.fences.forEach((fence) => out.u32(fence)));
  section(out, SECTION_END, () => {});
  return out.take();
}

/** Reads a whole file. Throws CORRUPTION or FORMAT_TOO_NEW, with `path` in the message. */
export function decodePartMetadata(bytes: Uint8Array, path: string): PartMetadata {
  const identity = readFileHeader(PART_METADATA_FORMAT, bytes, path);
  const sections = readSections(bytes, fileHeaderSize(identity), path);
  const part = sectionView(sections, SECTION_PART, path);
  const tenants = decodeTenants(sectionView(sections, SECTION_TENANTS, path), path);
  const blocks = decodeBlocks(sectionView(sections, SECTION_BLOCKS, path), tenants, path);
  const fences = decodeFences(sectionView(sections, SECTION_FENCES, path));
  return { identity, ...decodePart(part, identity !== undefined, path), blocks, fences };
}

function section(out: ByteWriter, kind: number, body: () => void): void {
  const start = out.length;
  out.u32(kind);
  out.u32(0);
  body();
  new DataView(out.bytes.buffer).setUint32(start + 4, out.length - start - 8, true);
  out.u32(crc32(out.bytes.subarray(start, out.length)));
}

function readSections(bytes: Uint8Array, start: number, path: string): Map<number, DataView> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const sections = new Map<number, DataView>();
  for (let at = start; ;) {
    if (bytes.length - at < 12) damaged(path, `a section is cut off at byte ${at}`);
    const kind = view.getUint32(at, true);
    const size = view.getUint32(at + 4, true);
    if (size > bytes.length - at - 12) damaged(path, `section ${kind} at byte ${at} is longer than the file`);
    if (view.getUint32(at + 8 + size, true) !== crc32(bytes.subarray(at, at + 8 + size))) {
      damaged(path, `section ${kind} at byte ${at} fails its checksum`);
    }
    if (kind === SECTION_END) return sections;
    sections.set(kind, new DataView(bytes.buffer, bytes.byteOffset + at + 8, size));
    at += 12 + size;
  }
}

function sectionView(sections: Map<number, DataView>, kind: number, path: string): DataView {
  return sections.get(kind) ?? damaged(path, `section ${kind} is missing`);
}

function encodePart(out: ByteWriter, metadata: PartMetadata): void {
  out.u32(metadata.day);
  out.u32(metadata.origin.partIds.length);
  u53(out, metadata.origin.logSeqMax);
  u53(out, metadata.rowCount);
  u53(out, metadata.dataBytes);
  u53(out, metadata.tracesBytes);
  u53(out, metadata.filtersBytes);
  u53(out, metadata.rollupsBytes);
  for (const id of metadata.origin.partIds) out.raw(encodePartId(id));
}

type PartSection = Omit<PartMetadata, 'identity' | 'blocks' | 'fences'>;

function decodePart(view: DataView, hasIdentities: boolean, path: string): PartSection {
  const idBytes = hasIdentities ? IDENTITY_BYTES : 8;
  const partIdCount = view.byteLength >= 56 ? view.getUint32(4, true) : -1;
  if (view.byteLength !== 56 + idBytes * partIdCount) damaged(path, 'the part section has a wrong length');
  const partIds: PartId[] = [];
  for (let i = 0; i < partIdCount; i++) {
    const at = 56 + idBytes * i;
    partIds.push(hasIdentities ? decodePartId(view, at) : formatHexId(readU53(view, at)));
  }
  return {
    day: view.getInt32(0, true),
    origin: { logSeqMax: readU53(view, 8), partIds },
    rowCount: readU53(view, 16),
    dataBytes: readU53(view, 24),
    tracesBytes: readU53(view, 32),
    filtersBytes: readU53(view, 40),
    rollupsBytes: readU53(view, 48),
  };
}

function encodeTenants(out: ByteWriter, tenants: readonly Tenant[]): void {
  for (const tenant of tenants) {
    for (const number of tenant.split(':')) out.u32(Number(number));
  }
}

function decodeTenants(view: DataView, path: string): Tenant[] {
  if (view.byteLength % 8 !== 0) damaged(path, 'the tenant table is cut off');
  const tenants: Tenant[] = [];
  for (let at = 0; at < view.byteLength; at += 8) {
    tenants.push(`${view.getUint32(at, true)}:${view.getUint32(at + 4, true)}` as Tenant);
  }
  return tenants;
}

function encodeBlocks(out: ByteWriter, blocks: readonly PartBlock[], tenants: readonly Tenant[]): void {
  const tenantIndex = new Map(tenants.map((tenant, index) => [tenant, index]));
  for (const block of blocks) {
    u53(out, block.offset);
    out.u32(block.sizeBytes);
    out.u32(block.rowCount);
    out.u32(block.traceCount);
    out.u32(tenantIndex.get(block.tenant)!);
    out.f64(block.startMin);
    out.f64(block.startMax);
    out.f64(block.durationMin);
    out.f64(block.durationMax);
    out.u32(block.filterBytes);
  }
}

function decodeBlocks(view: DataView, tenants: readonly Tenant[], path: string): PartBlock[] {
  if (view.byteLength % BLOCK_ROW_SIZE !== 0) damaged(path, 'the block table is cut off');
  const blocks: PartBlock[] = [];
  for (let at = 0; at < view.byteLength; at += BLOCK_ROW_SIZE) {
    blocks.push({
      offset: readU53(view, at),
      sizeBytes: view.getUint32(at + 8, true),
      rowCount: view.getUint32(at + 12, true),
      traceCount: view.getUint32(at + 16, true),
      tenant: tenants[view.getUint32(at + 20, true)] ?? damaged(path, 'a block has an unknown tenant'),
      startMin: view.getFloat64(at + 24, true),
      startMax: view.getFloat64(at + 32, true),
      durationMin: view.getFloat64(at + 40, true),
      durationMax: view.getFloat64(at + 48, true),
      filterBytes: view.getUint32(at + 56, true),
    });
  }
  return blocks;
}

function decodeFences(view: DataView): Uint32Array {
  const fences = new Uint32Array(view.byteLength >>> 2);
  for (let i = 0; i < fences.length; i++) fences[i] = view.getUint32(4 * i, true);
  return fences;
}

function u53(out: ByteWriter, value: number): void {
  out.u64(value % 2 ** 32, Math.floor(value / 2 ** 32));
}

function readU53(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}

function damaged(path: string, what: string): never {
  throw new StoreError('CORRUPTION', `${path}: ${what}; it is rebuilt from the part's data when the store starts`);
}
