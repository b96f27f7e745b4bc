// Flags from a YAML file (-config): `retentionPeriod: 30d`, with dots in the name or as nesting (`search: { maxTraces: 200 }`),
// a list for values with commas. Every value is taken as the text that stands there, so `10MB`, `yes` and `1e3` mean what they
// mean on the command line. Whatever the file says that is not a flag is refused with its line: nothing is ignored.
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Node } from 'yaml';
import { StoreError } from './errors.ts';
import { nearestName, type FlagName, type GivenFlag } from './flags.ts';

/** Larger than every flag with a long value; a file above it is another one. */
export const FLAG_FILE_BYTES_MAX: number = 1 << 20;

interface Place {
  readonly path: string;
  readonly lines: LineCounter;
}

/**
 * Adds the flags of the file `path`, whose content is `text`; what is `given` already wins. Throws CONFIG with the line for what
 * is not YAML, a flag that is not in `known`, and a value that is no text.
 */
export function addFile(
  given: Map<string, GivenFlag>,
  known: readonly FlagName[],
  { path, text }: { readonly path: string; readonly text: string },
): void {
  const lines = new LineCounter();
  const document = parseDocument(text, { schema: 'failsafe', lineCounter: lines, uniqueKeys: true });
  const place = { path, lines };
  const [error] = document.errors;
  if (error !== undefined) refuse(place, error.pos[0], error.message.split('\n', 1)[0] ?? 'malformed YAML');
  if (document.contents === null) return;
  const names = new Set(known.map(({ name }) => name));
  for (const [name, { value, offset }] of entriesOf(document.contents, '', place)) {
    if (!names.has(name)) refuseUnknown(place, offset, name, known);
    if (!given.has(name)) given.set(name, { text: value, source: `${where(place, offset)}: ${name}` });
  }
}

type Entry = readonly [name: string, at: { readonly value: string; readonly offset: number }];

function* entriesOf(node: Node, prefix: string, place: Place): Generator<Entry, void, undefined> {
  if (!isMap(node)) refuse(place, node.range?.[0] ?? 0, 'expected lines of `name: value`');
  for (const { key, value } of node.items) {
    const offset = (key as Node).range?.[0] ?? 0;
    const name = prefix + (isScalar(key) ? String(key.value) : '');
    if (isMap(value)) yield* entriesOf(value, `${name}.`, place);
    else yield [name, { value: textOf(value, name, place), offset }];
  }
}

function textOf(value: unknown, name: string, place: Place): string {
  if (value === null) return '';
  if (isScalar(value)) return String(value.value);
  const offset = (value as Node).range?.[0] ?? 0;
  if (isSeq(value) && value.items.every((item) => isScalar(item))) {
    return value.items.map((item) => String(item.value)).join(',');
  }
  refuse(place, offset, `${name}: expected a text, a number, true or false, or a list of them`);
}

function refuseUnknown(place: Place, offset: number, name: string, known: readonly FlagName[]): never {
  const shown = JSON.stringify(name.slice(0, 60)).slice(1, -1);
  const nearest = nearestName(
    name.slice(0, 60),
    known.map((flag) => flag.name),
  );
  const hint = nearest === undefined ? '' : `did you mean ${nearest}? `;
  refuse(place, offset, `unknown flag ${shown}; ${hint}-help lists every flag, names stand here without dashes`);
}

function where({ path, lines }: Place, offset: number): string {
  return `${path}, line ${lines.linePos(offset).line}`;
}

function refuse(place: Place, offset: number, message: string): never {
  throw new StoreError('CONFIG', `${where(place, offset)}: ${message}`);
}
