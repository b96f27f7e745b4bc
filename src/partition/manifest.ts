// The manifest of a snapshot lists its files and their lengths, so that an incomplete copy is noticed. The files' own
// checksums protect their content, so the manifest is cheap to make. It is lines of text; the last line is the CRC-32 of
// those before. Layout and history: docs/format/snapshot.md.
import { StoreError } from '../base/errors.ts';
import { crc32 } from '../bytes/crc32.ts';
import type { FoundFile } from '../disk/walk-files.ts';
import { formatDay, parseDay } from './day.ts';

export const MANIFEST_FILE = 'manifest';
export const MANIFEST_VERSION = 1;
/** 60 bytes per file and five files per part: far above any partition. */
export const MANIFEST_BYTES_MAX: number = 16 << 20;

export interface Manifest {
  /** Days since 1970-01-01 UTC. */
  readonly day: number;
  /** When the snapshot was taken, ms since the epoch. */
  readonly takenMs: number;
  /** Spans in the snapshot; duplicates that no merge has removed yet count separately. */
  readonly rows: number;
  /** Every file of the snapshot except the manifest. */
  readonly files: readonly FoundFile[];
}

const TITLE = 'tracelith snapshot';

/** Encodes the whole file. */
export function encodeManifest(manifest: Manifest): Buffer {
  const lines = [
    `${TITLE} ${MANIFEST_VERSION}`,
    `day ${formatDay(manifest.day)}`,
    `taken ${new Date(manifest.takenMs).toISOString()}`,
    `rows ${manifest.rows}`,
    ...manifest.files.map(({ name, sizeBytes }) => `file ${sizeBytes} ${name}`),
  ];
  const text = lines.map((line) => `${line}\n`).join('');
  return Buffer.from(`${text}crc32 ${checksumOf(text)}\n`);
}

/** Reads a whole file. Throws CORRUPTION, FORMAT_TOO_NEW, with `path` in the message. */
export function parseManifest(bytes: Uint8Array, path: string): Manifest {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  const end = text.lastIndexOf('crc32 ');
  if (end < 0 || text.slice(end) !== `crc32 ${checksumOf(text.slice(0, end))}\n`) {
    throw damaged(path, 'fails its checksum');
  }
  const [title = '', day = '', taken = '', rows = '', ...files] = text.slice(0, end).split('\n').slice(0, -1);
  const version = Number(new RegExp(`^${TITLE} (\\d+)$`).exec(title)?.[1]);
  if (version > MANIFEST_VERSION) {
    throw new StoreError(
      'FORMAT_TOO_NEW',
      `${path}: snapshot format ${version}, newest known ${MANIFEST_VERSION}; upgrade this node`,
    );
  }
  const manifest = {
    day: parseDay(afterWord(day, 'day')),
    takenMs: Date.parse(afterWord(taken, 'taken')),
    rows: Number(afterWord(rows, 'rows')),
    files: files.map((line) => parseFile(line, path)),
  };
  const isSane = Number.isFinite(manifest.takenMs) && Number.isSafeInteger(manifest.rows) && version >= 1;
  if (manifest.day === undefined || !isSane) throw damaged(path, 'is no manifest');
  return { ...manifest, day: manifest.day };
}

/** One line for each difference between `found` and `manifest`; [] if there is none. */
export function compareWithManifest(manifest: Manifest, found: readonly FoundFile[]): string[] {
  const sizes = new Map(found.map(({ name, sizeBytes }) => [name, sizeBytes]));
  const faults: string[] = [];
  for (const { name, sizeBytes } of manifest.files) {
    const size = sizes.get(name);
    if (size === undefined) faults.push(`${name}: missing`);
    else if (size !== sizeBytes) faults.push(`${name}: ${size} bytes where the manifest says ${sizeBytes}`);
    sizes.delete(name);
  }
  for (const name of sizes.keys()) {
    if (!isOfNobody(name)) faults.push(`${name}: not in the manifest`);
  }
  return faults;
}

/** The manifest itself, and LMDB's table of readers, which holds no data. */
function isOfNobody(name: string): boolean {
  return name === MANIFEST_FILE || name === 'index/lock.mdb';
}

function parseFile(line: string, path: string): FoundFile {
  const match = /^file (\d{1,15}) ([\w.-]+(?:\/[\w.-]+)*)$/.exec(line);
  if (match === null) throw damaged(path, 'is no manifest');
  return { sizeBytes: Number(match[1]), name: match[2]! };
}

function afterWord(line: string, word: string): string {
  return line.startsWith(`${word} `) ? line.slice(word.length + 1) : '';
}

function checksumOf(text: string): string {
  return crc32(Buffer.from(text)).toString(16).padStart(8, '0');
}

function damaged(path: string, what: string): StoreError {
  return new StoreError('CORRUPTION', `${path}: ${what}; take another snapshot, or restore an older one`);
}
