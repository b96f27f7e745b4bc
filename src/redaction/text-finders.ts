// Where in a text the texts to redact are: by an operator's pattern, or by a ready rule for what people most often send by mistake.
// All are linear in the text, or bounded, and what is too long to be looked at is found whole: better too much than a secret too few.
import type { RE2JS } from 're2js';

/** Starts and ends in turns, ascending, without overlaps, none empty. */
export type FindTexts = (text: string) => readonly number[];

/** Instructions × characters of matching one text: some seconds at worst, some ms for most patterns. */
const PATTERN_WORK_MAX: number = 1 << 26;

/** Characters of a text; longer ones are rare, and would hold up other requests. */
const TEXT_CHARS_MAX: number = 1 << 20;

/** Every match of the pattern; what it would cost too much to look at is found too. */
export function findByPattern({ compiled, size }: { readonly compiled: RE2JS; readonly size: number }): FindTexts {
  return (text) => {
    if (size * text.length <= PATTERN_WORK_MAX && !compiled.test(text)) return [];
    const found: number[] = [];
    const matcher = compiled.matcher(text);
    let work = 0;
    for (let end = 0; ; end = matcher.end()) {
      work += size * (text.length - end);
      if (work > PATTERN_WORK_MAX) return [...found, end, text.length];
      if (!matcher.find()) return found;
      if (matcher.end() > matcher.start()) found.push(matcher.start(), matcher.end());
    }
  };
}

/** %40: an @ in a URL. The lookbehind lets each run of characters be tried once. */
const EMAIL =
  /(?<![\p{L}\p{N}._+%-])[\p{L}\p{N}._+%-]+(?:@|%40)[\p{L}\p{N}-]{1,63}(?:\.[\p{L}\p{N}-]{1,63}){0,8}\.\p{L}{2,63}/gu;

function findEmails(text: string): readonly number[] {
  return text.includes('@') || text.includes('%40') ? findAll(text, EMAIL) : [];
}

/** Three parts, or five when encrypted; the header is JSON, so it begins with `{"`. */
const JWT = /(?<![\w-])eyJ[\w-]{5,}(?:\.[\w-]*){2,4}/g;
/** The credential behind the scheme. */
const BEARER = /(?<=\bbearer(?:[ :=+]|%20){1,3})[\w.~+/-]{8,}=*/gi;

function findTokens(text: string): readonly number[] {
  const bearers = /bearer/i.test(text) ? findAll(text, BEARER) : [];
  const jwts = text.includes('eyJ') ? findAll(text, JWT) : [];
  return united(bearers, jwts);
}

/** Digits in groups, not within a longer word or a fraction. */
const DIGITS = /(?<![\p{L}\p{N}_]|\d\.)\d(?:[ -]?\d){12,400}(?![\p{L}\p{N}_]|\.\d)/gu;
/** Beginnings and lengths of the card companies. */
const CARD =
  /^(?:4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|(?:6011|64[4-9]\d|65\d\d)\d{12,15}|3(?:0[0-5]|[68]\d)\d{11,16}|35(?:2[89]|[3-8]\d)\d{12,15}|62\d{14,17})$/;

/** Card numbers, also in groups, also among other groups of digits. */
function findCardNumbers(text: string): readonly number[] {
  const found: number[] = [];
  for (const { 0: run, index } of text.matchAll(DIGITS)) {
    const groups = [...run.matchAll(/\d+/g)];
    for (let first = 0; first < groups.length; first++) {
      const last = lastOfCard(groups, first);
      if (last < 0) continue;
      found.push(index + groups[first]!.index, index + groups[last]!.index + groups[last]![0].length);
      first = last;
    }
  }
  return found;
}

const CARD_DIGITS_MAX = 19;

/** The last group of the longest card number that begins with group `first`; -1 without one. */
function lastOfCard(groups: readonly RegExpMatchArray[], first: number): number {
  let digits = '';
  let last = -1;
  for (let i = first; i < groups.length; i++) {
    digits += groups[i]![0];
    if (digits.length > CARD_DIGITS_MAX) break;
    if (CARD.test(digits) && hasCheckDigit(digits)) last = i;
  }
  return last;
}

/** Luhn's check (ISO/IEC 7812). */
function hasCheckDigit(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 48;
    const doubled = i % 2 === 1 ? 2 * digit : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** The ready rules, by name. */
export const READY_FINDERS: ReadonlyMap<string, FindTexts> = new Map([
  ['card-numbers', bounded(findCardNumbers)],
  ['tokens', bounded(findTokens)],
  ['emails', bounded(findEmails)],
]);

function bounded(find: FindTexts): FindTexts {
  return (text) => (text.length > TEXT_CHARS_MAX ? [0, text.length] : find(text));
}

function findAll(text: string, pattern: RegExp): number[] {
  return [...text.matchAll(pattern)].flatMap(({ 0: match, index }) => [index, index + match.length]);
}

/** The ranges of both; those that overlap or touch are one. */
function united(some: readonly number[], others: readonly number[]): readonly number[] {
  if (some.length === 0) return others;
  if (others.length === 0) return some;
  const starts = [...some, ...others].filter((_, i) => i % 2 === 0);
  const ends = [...some, ...others].filter((_, i) => i % 2 === 1);
  const ranges = starts.map((start, i) => [start, ends[i]!] as const).sort(([x], [y]) => x - y);
  const out: number[] = [];
  for (const [start, end] of ranges) {
    if (out.length > 0 && start <= out.at(-1)!) out[out.length - 1] = Math.max(end, out.at(-1)!);
    else out.push(start, end);
  }
  return out;
}
