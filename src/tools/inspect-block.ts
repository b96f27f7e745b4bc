// Lists the columns of a block, each with its name, its encoding and its share of the bytes. For people; no code that reads or
// writes data depends on it.
import * as C from '../block/block-columns.ts';
import { BLOCK_HEADER_SIZE_MIN } from '../block/block-header.ts';
import type { BlockReader } from '../block/block-reader.ts';
import type { ColumnEntry } from '../block/group-reader.ts';
import { textsOf } from '../block/read-names.ts';
import type { ByteReader } from '../bytes/byte-reader.ts';
import { SECTION_LEVELS } from '../trace/attribute-levels.ts';
import * as T from '../trace/templates.ts';

export interface InspectedColumn {
  /** "span durations", or for values "span http.method (string)". */
  readonly name: string;
  readonly encoding: string;
  /** Compression of the frame in which it begins; '' if it has no bytes. */
  readonly codec: string;
  readonly entries: number;
  /** As encoded, before compression. */
  readonly rawBytes: number;
  /** Its share of its compressed frames, by raw bytes: the columns of a frame are compressed together. May be fractional. */
  readonly storedBytes: number;
}

const CODECS = ['none', 'lz4', 'zstd'];
const INTRINSICS = [
  'trace state',
  'status message',
  'dropped attributes',
  'dropped events',
  'dropped links',
  'end time',
  'unknown fields',
  'time',
  'odd trace id',
  'odd span id',
];

/** Names and encodings of the columns that occur once, by code. */
const COLUMNS: ReadonlyMap<number, readonly [name: string, encoding: Encoding]> = new Map([
  [C.COLUMN_STRINGS, ['strings', textList]],
  [C.COLUMN_RESOURCES, ['resources', textList]],
  [C.COLUMN_SCOPES, ['scopes', textList]],
  ...SECTION_LEVELS.flatMap((section, i): [number, readonly [string, Encoding]][] => [
    [C.COLUMN_TEMPLATES + i, [`${section} templates`, plain]],
    [C.COLUMN_CONSTANTS + i, [`${section} constants`, textList]],
    [C.COLUMN_ROW_TEMPLATES + i, [`${section} row templates`, numbers]],
  ]),
  [C.COLUMN_TRACE_IDS, ['trace ids', plain]],
  [C.COLUMN_TRACE_SIZES, ['trace sizes', numbers]],
  [C.COLUMN_TRACE_STARTS, ['trace starts', numbers]],
  [C.COLUMN_SPAN_IDS, ['span ids', plain]],
  [C.COLUMN_PARENTS, ['span parents', numbers]],
  [C.COLUMN_ORPHAN_PARENTS, ['span orphan parents', plain]],
  [C.COLUMN_STARTS, ['span starts', numbers]],
  [C.COLUMN_DURATIONS, ['span durations', numbers]],
  [C.COLUMN_CHILD_COUNTS + C.SECTION_EVENTS, ['event counts', numbers]],
  [C.COLUMN_CHILD_COUNTS + C.SECTION_LINKS, ['link counts', numbers]],
  [C.COLUMN_EVENT_TIMES, ['event times', numbers]],
  [C.COLUMN_LINK_IDS, ['link ids', plain]],
]);

/** Columns in directory order, after the header and the directory; together they are all bytes of the block. Throws CORRUPTION. */
export function inspectBlock(block: BlockReader): InspectedColumn[] {
  const strings = readStrings(block);
  const headBytes = BLOCK_HEADER_SIZE_MIN + block.header.directoryBytes;
  const head = { name: 'header, directory', encoding: '', codec: 'none', entries: block.columns.length };
  return [
    { ...head, rawBytes: headBytes, storedBytes: headBytes },
    ...block.columns.map((column) => inspectColumn(block, column, strings)),
  ];
}

function inspectColumn(block: BlockReader, column: ColumnEntry, strings: readonly string[]): InspectedColumn {
  const { codec, storedBytes } = block.storedShare(column);
  const [name, encoding] = describe(column, strings);
  return {
    name,
    encoding: column.count === 0 ? '' : encoding(block.open(column)),
    codec: codec === undefined ? '' : (CODECS[codec] ?? `codec ${codec}`),
    entries: column.count,
    rawBytes: column.size,
    storedBytes,
  };
}

function describe(column: ColumnEntry, strings: readonly string[]): readonly [name: string, encoding: Encoding] {
  if (column.code === C.COLUMN_VALUES) return [fieldName(column, strings), valueEncoding(T.fieldType(column.field))];
  if (column.code === C.COLUMN_DISTINCT) return [`${fieldName(column, strings)} distinct`, textList];
  return COLUMNS.get(column.code) ?? [`column ${column.code}`, plain];
}

/** "span http.method (string)"; an intrinsic field by its own name. */
function fieldName({ section, field }: ColumnEntry, strings: readonly string[]): string {
  const id = T.fieldId(field);
  const name = T.isIntrinsic(field) ? (INTRINSICS[id] ?? `intrinsic ${id}`) : (strings[id] ?? `key ${id}`);
  return `${SECTION_LEVELS[section] ?? section} ${name} (${T.TYPE_NAMES[T.fieldType(field)]})`;
}

function readStrings(block: BlockReader): string[] {
  return textsOf(block.list(C.COLUMN_STRINGS)).map((text) => Buffer.from(text).toString('utf8'));
}

/** Reads a column's first bytes: docs/format/block.md, Column encodings. */
type Encoding = (reader: ByteReader) => string;

function plain(): string {
  return 'plain';
}

function numbers(reader: ByteReader): string {
  const kind = reader.u8();
  if (kind === 0 || kind === 3) return 'constant';
  return `${kind === 1 ? 'planes' : kind === 2 ? 'zigzag planes' : `code ${kind}`} × ${reader.u8()}`;
}

function textList(reader: ByteReader): string {
  const form = reader.u8();
  return ['plain', 'uuid', 'hex', 'decimal', 'random uuid', 'patterns'][form] ?? `form ${form}`;
}

function valueEncoding(type: number): Encoding {
  if (T.isArenaType(type)) return textColumn;
  return type === T.TYPE_DOUBLE ? doubles : ints;
}

function textColumn(reader: ByteReader): string {
  const kind = reader.u8();
  if (kind === 0) return `list, ${textList(reader)}`;
  if (kind === 2) return `codes, ${numbers(reader)}`;
  const distinct = reader.varint();
  return `dictionary of ${distinct}, ${textList(reader)}`;
}

function ints(reader: ByteReader): string {
  return reader.u8() === 0 ? 'raw words' : numbers(reader);
}

function doubles(reader: ByteReader): string {
  const kind = reader.u8();
  return kind < 2 ? 'raw words' : `decimal / 10^${kind - 2}, ${numbers(reader)}`;
}
