// The rules of -redaction.config: what is taken out of spans before they are stored, and how (docs/operations/redaction.md). Pure.
import { StoreError } from '../base/errors.ts';
import { compileRe2 } from '../trace/pattern.ts';
import { findByPattern, READY_FINDERS, type FindTexts } from './text-finders.ts';

const ACTIONS = ['drop', 'hash', 'mask'] as const;

export interface RedactionRule {
  /** Its name in the metrics. */
  readonly name: string;
  /** drop: the attribute goes. hash: an HMAC of the text is in its place. mask: `mask` is in its place. */
  readonly action: (typeof ACTIONS)[number];
  readonly mask: string;
  /** Whether it is for spans of a service; undefined: of every service. */
  readonly takesService: Takes | undefined;
  /** Whether it is for attributes with a key; undefined: with any key, and for names and messages of spans too. */
  readonly takesKey: Takes | undefined;
  /** Finds the texts within a value; undefined: the whole value. */
  readonly find: FindTexts | undefined;
}

type Takes = (text: string) => boolean;

const RULES_MAX = 100;
const MASK = '[redacted]';
const MASK_CHARS_MAX = 100;
const FIELDS = ['name', 'ready', 'services', 'keys', 'values', 'action', 'mask'] as const;
type Given = Readonly<Partial<Record<(typeof FIELDS)[number], unknown>>>;

/** Throws CONFIG with the place of the first mistake: `rules[2].keys: …`. */
export function parseRedactionConfig(text: string): RedactionRule[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new StoreError('CONFIG', `expected JSON: ${String(cause)}`, { cause });
  }
  const { rules: given = [] } = objectAt(json, 'the file', ['rules']) as { readonly rules?: unknown };
  if (!Array.isArray(given) || given.length > RULES_MAX)
    wrong('rules', `expected a list of at most ${RULES_MAX} rules`);
  const rules = given.map((rule, i) => ruleAt(objectAt(rule, `rules[${i}]`, FIELDS), `rules[${i}]`));
  const names = rules.map(({ name }) => name);
  const twice = names.findIndex((name, i) => names.indexOf(name) !== i);
  return twice < 0 ? rules : wrong(`rules[${twice}].name`, `another rule is called ${names[twice]}`);
}

function ruleAt(given: Given, place: string): RedactionRule {
  const { ready, values } = given;
  const finder = typeof ready === 'string' ? READY_FINDERS.get(ready) : undefined;
  if (ready !== undefined && finder === undefined)
    wrong(`${place}.ready`, `expected one of ${[...READY_FINDERS.keys()].join(', ')}`);
  if (ready !== undefined && values !== undefined) wrong(place, 'ready and values exclude each other');
  if (ready === undefined && values === undefined && given.keys === undefined)
    wrong(place, 'expected keys, values or ready: what is to be redacted');
  return {
    name: nameAt(given.name ?? ready, `${place}.name`),
    action: actionAt(given.action ?? (ready === undefined ? undefined : 'mask'), `${place}.action`),
    mask: maskAt(given.mask, `${place}.mask`),
    takesService: wholeAt(given.services, `${place}.services`),
    takesKey: wholeAt(given.keys, `${place}.keys`),
    find: finder ?? (values === undefined ? undefined : findByPattern(patternAt(values, `${place}.values`))),
  };
}

function nameAt(value: unknown, place: string): string {
  if (typeof value === 'string' && /^[a-z0-9_-]{1,64}$/.test(value)) return value;
  return wrong(place, 'expected 1 to 64 of a-z, 0-9, - and _');
}

function actionAt(value: unknown, place: string): RedactionRule['action'] {
  return ACTIONS.find((action) => action === value) ?? wrong(place, `expected ${ACTIONS.join(', ')}`);
}

function maskAt(value: unknown, place: string): string {
  if (value === undefined) return MASK;
  if (typeof value === 'string' && value.length <= MASK_CHARS_MAX) return value;
  return wrong(place, `expected a text of at most ${MASK_CHARS_MAX} characters`);
}

/** A pattern that must match the whole text. */
function wholeAt(value: unknown, place: string): Takes | undefined {
  if (value === undefined) return undefined;
  const { compiled } = patternAt(value, place);
  return (text) => compiled.testExact(text);
}

function patternAt(value: unknown, place: string): ReturnType<typeof compileRe2> {
  if (typeof value !== 'string' || value === '') return wrong(place, 'expected a regular expression (RE2)');
  try {
    return compileRe2(value);
  } catch (error) {
    return wrong(place, error instanceof Error ? error.message : String(error));
  }
}

function objectAt(value: unknown, place: string, known: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) wrong(place, 'expected an object');
  const unknown = Object.keys(value).find((key) => !known.includes(key));
  if (unknown !== undefined) wrong(place, `${unknown.slice(0, 40)} is not one of ${known.join(', ')}`);
  return value as Record<string, unknown>;
}

function wrong(place: string, what: string): never {
  throw new StoreError('CONFIG', `${place}: ${what}`);
}
