// The rules for the spans of one service, by attribute key: looked up once for each key, and once for each text that recurs. Pure.
import type { RedactionRule } from './redaction-config.ts';

/** The text that stands for a hashed one. */
export type HashText = (text: string | Uint8Array) => string;

/** What `hash` leaves. Rules do not touch it again, so that a span which passes two nodes, or is copied, stays what it is. */
export const HASHED_PREFIX = 'hmac:';
const HASHED = /hmac:[0-9a-f]{32}/g;

/** Whether a text is one that `hash` has left. */
export function isHashed(text: string): boolean {
  return /^hmac:[0-9a-f]{32}$/.test(text);
}

/** A text without what was to be redacted. */
export interface RedactedText {
  /** undefined: all of it is dropped. */
  readonly text: string | undefined;
  /** Those that found something. */
  readonly rules: readonly RedactionRule[];
}

export interface KeyPlan {
  /** For the whole value, whatever it is. */
  readonly whole: RedactionRule | undefined;
  /** For the texts in it; undefined: they stay. */
  readonly texts: TextPlan | undefined;
}

/** Keys that are remembered; clients may invent them. */
const KEYS_MAX = 10_000;
/** Texts without anything to redact that are remembered, each of at most so many characters. */
const CLEAN_TEXTS_MAX = 10_000;
const CLEAN_CHARS_MAX = 128;

export class ServicePlan {
  readonly #rules: readonly RedactionRule[];
  readonly #hash: HashText;
  readonly #byKey = new Map<string, KeyPlan>();
  readonly #textPlans = new Map<string, TextPlan>();
  /** For names and messages of spans, which have no key. */
  readonly texts: TextPlan | undefined;

  /** `rules` in their order: of those for whole values the first one counts, those for texts are applied one after the other. */
  constructor(rules: readonly RedactionRule[], hash: HashText) {
    this.#rules = rules;
    this.#hash = hash;
    this.texts = this.#textPlan(rules.filter(({ takesKey }) => takesKey === undefined));
  }

  get isIdle(): boolean {
    return this.#rules.length === 0;
  }

  /** For the attribute, or entry of a map, with `key`; `path` is the keys down to it, with dots between, itself for an attribute. */
  ofKey(key: string, path: string): KeyPlan {
    // Unlike for every pair, whatever clients put into keys.
    const place = `${path.length} ${path}${key}`;
    const known = this.#byKey.get(place);
    if (known !== undefined) return known;
    if (this.#byKey.size >= KEYS_MAX) this.#byKey.clear();
    const rules = this.#rules.filter(({ takesKey: takes }) => takes === undefined || takes(key) || takes(path));
    const plan = { whole: rules.find(({ find }) => find === undefined), texts: this.#textPlan(rules) };
    this.#byKey.set(place, plan);
    return plan;
  }

  /** One for each set of rules, so that keys with the same rules share what is remembered. */
  #textPlan(rules: readonly RedactionRule[]): TextPlan | undefined {
    const own = rules.filter(({ find }) => find !== undefined);
    if (own.length === 0) return undefined;
    const names = own.map(({ name }) => name).join(' ');
    const plan = this.#textPlans.get(names) ?? new TextPlan(own, this.#hash);
    this.#textPlans.set(names, plan);
    return plan;
  }
}

export class TextPlan {
  readonly #rules: readonly RedactionRule[];
  readonly #hash: HashText;
  readonly #clean = new Set<string>();

  constructor(rules: readonly RedactionRule[], hash: HashText) {
    this.#rules = rules;
    this.#hash = hash;
  }

  /** undefined: nothing of it is to be redacted. */
  redact(text: string): RedactedText | undefined {
    if (this.#clean.has(text)) return undefined;
    const rules: RedactionRule[] = [];
    let rest = text;
    for (const rule of this.#rules) {
      const found = outsideHashes(rest, rule.find!(rest));
      if (found.length === 0) continue;
      rules.push(rule);
      if (rule.action === 'drop') return { text: undefined, rules };
      rest = replaceAll(rest, found, (part) => (rule.action === 'hash' ? this.#hash(part) : rule.mask));
    }
    // A mask that its own pattern finds changes nothing.
    if (rest !== text) return { text: rest, rules };
    if (this.#clean.size >= CLEAN_TEXTS_MAX) this.#clean.clear();
    if (text.length <= CLEAN_CHARS_MAX) this.#clean.add(text);
    return undefined;
  }
}

/** Ranges, as FindTexts. */
type Ranges = readonly number[];

/** What is found, without what lies in hashes. */
function outsideHashes(text: string, found: Ranges): Ranges {
  if (found.length === 0 || !text.includes(HASHED_PREFIX)) return found;
  const hashes = [...text.matchAll(HASHED)].flatMap(({ 0: hash, index }) => [index, index + hash.length]);
  const out: number[] = [];
  let hash = 0;
  for (let i = 0; i < found.length; i += 2) {
    let start = found[i]!;
    const end = found[i + 1]!;
    while (hash < hashes.length && hashes[hash + 1]! <= start) hash += 2;
    // The last of these hashes may reach into the next range as well.
    for (let at = hash; start < end; at += 2) {
      const stop = Math.min(end, hashes[at] ?? end);
      if (start < stop) out.push(start, stop);
      start = stop === end ? end : hashes[at + 1]!;
    }
  }
  return out;
}

function replaceAll(text: string, found: Ranges, replace: (part: string) => string): string {
  let out = '';
  let end = 0;
  for (let i = 0; i < found.length; i += 2) {
    out += text.slice(end, found[i]!) + replace(text.slice(found[i]!, found[i + 1]!));
    end = found[i + 1]!;
  }
  return out + text.slice(end);
}
