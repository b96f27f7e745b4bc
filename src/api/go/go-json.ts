// Go's encoding/json as far as clients see it: which texts it refuses, and with which messages. Jaeger puts these messages
// into its 400 answers (contract/jaeger.md §1.4).
import { goQuote } from './go-quote.ts';

/** The expected tokens, in the words of Go's error when another one comes. */
const VALUE = 'looking for beginning of value';
const KEY = 'looking for beginning of object key string';
const COLON = 'after object key';
const PAIR_END = 'after object key:value pair';
const ITEM_END = 'after array element';
const TOP_END = 'after top-level value';
const DEPTH_MAX = 10_000; // Go's own bound
const SPACE = /[ \t\r\n]*/y;
const NUMBER_START = /[-0-9]/;

export type ParsedStringMap = { readonly entries: readonly (readonly [string, string])[] } | { readonly error: string };

/** Unmarshals `text` into a map[string]string: null is an empty map, and a null value an empty string. */
export function parseGoStringMap(text: string): ParsedStringMap {
  const syntaxError = findGoSyntaxError(text);
  if (syntaxError !== undefined) return { error: syntaxError };
  const json = JSON.parse(text) as unknown;
  if (json === null) return { entries: [] };
  if (goKind(json) !== 'object')
    return { error: `json: cannot unmarshal ${goKind(json)} into Go value of type map[string]string` };
  const entries: [string, string][] = [];
  for (const [key, value] of Object.entries(json as Record<string, unknown>)) {
    if (value !== null && typeof value !== 'string')
      return { error: `json: cannot unmarshal ${goKind(value)} into Go value of type string` };
    entries.push([key, value ?? '']);
  }
  return { entries };
}

/** Go's name for the kind of a JSON value other than null. */
export function goKind(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

/** Go's message for the first character that is not JSON; undefined if `text` is JSON. */
export function findGoSyntaxError(text: string): string | undefined {
  const scanner = new Scanner(Buffer.from(text, 'utf8').toString('latin1'));
  try {
    scanner.scan();
    return undefined;
  } catch (error) {
    if (error instanceof GoSyntaxError) return error.message;
    throw error;
  }
}

class GoSyntaxError extends Error {}

/** Walks one JSON text, one character per byte of its UTF-8 form, because Go's message names the offending byte. */
class Scanner {
  readonly #text: string;
  #at = 0;
  /** The open brackets, { or [. */
  readonly #open: string[] = [];
  /** Where the last bracket was opened, or after the last one closed. */
  #openedAt = 0;
  #expected = VALUE;

  constructor(text: string) {
    this.#text = text;
  }

  scan(): void {
    for (;;) {
      this.#skipSpace();
      if (this.#at >= this.#text.length) {
        if (this.#expected === TOP_END) return;
        throw new GoSyntaxError('unexpected end of JSON input');
      }
      this.#step(this.#text[this.#at]!);
    }
  }

  #step(char: string): void {
    const opener = this.#open.at(-1);
    switch (this.#expected) {
      case VALUE:
        if (char === ']' && opener === '[' && this.#isJustOpened()) return this.#close();
        return this.#value(char);
      case KEY:
        if (char === '}' && this.#isJustOpened()) return this.#close();
        if (char !== '"') this.#fail(KEY);
        this.#string();
        this.#expected = COLON;
        return;
      case COLON:
        if (char !== ':') this.#fail(COLON);
        this.#at++;
        this.#expected = VALUE;
        return;
      case TOP_END:
        return this.#fail(TOP_END);
      default:
        if (char === (opener === '{' ? '}' : ']')) return this.#close();
        if (char !== ',') this.#fail(this.#expected);
        this.#at++;
        this.#expected = opener === '{' ? KEY : VALUE;
    }
  }

  /** True if only white space is between the last opening bracket and here. */
  #isJustOpened(): boolean {
    return /[[{][ \t\r\n]*$/.test(this.#text.slice(this.#openedAt, this.#at));
  }

  #value(char: string): void {
    if (char === '{' || char === '[') {
      if (this.#open.push(char) > DEPTH_MAX) throw new GoSyntaxError('exceeded max depth');
      this.#openedAt = this.#at++;
      this.#expected = char === '{' ? KEY : VALUE;
      return;
    }
    if (char === '"') this.#string();
    else if (NUMBER_START.test(char)) this.#number();
    else if (char === 't') this.#literal('true');
    else if (char === 'f') this.#literal('false');
    else if (char === 'n') this.#literal('null');
    else this.#fail(VALUE);
    this.#endValue();
  }

  #close(): void {
    this.#open.pop();
    this.#at++;
    this.#openedAt = this.#at;
    this.#endValue();
  }

  #endValue(): void {
    const opener = this.#open.at(-1);
    this.#expected = opener === undefined ? TOP_END : opener === '{' ? PAIR_END : ITEM_END;
  }

  #string(): void {
    for (this.#at++; ; this.#at++) {
      const char = this.#text[this.#at];
      if (char === undefined) throw new GoSyntaxError('unexpected end of JSON input');
      if (char === '"') break;
      if (char < ' ') this.#fail('in string literal');
      if (char !== '\\') continue;
      this.#at++;
      if (!'bfnrt\\/"u'.includes(this.#peek())) this.#fail('in string escape code');
      if (this.#peek() !== 'u') continue;
      for (let i = 0; i < 4; i++) {
        this.#at++;
        if (!/[0-9a-fA-F]/.test(this.#peek())) this.#fail('in \\u hexadecimal character escape');
      }
    }
    this.#at++;
  }

  #number(): void {
    if (this.#text[this.#at] === '-') this.#at++;
    if (this.#peek() === '0') this.#at++;
    else this.#digits('in numeric literal');
    if (this.#text[this.#at] === '.') {
      this.#at++;
      this.#digits('after decimal point in numeric literal');
    }
    const exponent = this.#text[this.#at];
    if (exponent !== 'e' && exponent !== 'E') return;
    this.#at++;
    if (this.#peek() === '+' || this.#peek() === '-') this.#at++;
    this.#digits('in exponent of numeric literal');
  }

  /** One or more digits. */
  #digits(context: string): void {
    if (!/[0-9]/.test(this.#peek())) this.#fail(context);
    while (/[0-9]/.test(this.#text[this.#at] ?? '')) this.#at++;
  }

  #literal(word: string): void {
    for (const char of word) {
      if (this.#peek() !== char) this.#fail(`in literal ${word} (expecting '${char}')`);
      this.#at++;
    }
  }

  /** The character here; Go treats the end of the text as a space. */
  #peek(): string {
    return this.#text[this.#at] ?? ' ';
  }

  #skipSpace(): void {
    SPACE.lastIndex = this.#at;
    this.#at += SPACE.exec(this.#text)?.[0].length ?? 0;
  }

  #fail(context: string): never {
    throw new GoSyntaxError(`invalid character ${quoteByte(this.#peek())} ${context}`);
  }
}

/** The byte as Go quotes it in its messages: 'x', '\'', '"'. */
function quoteByte(char: string): string {
  if (char === "'") return "'\\''";
  if (char === '"') return "'\"'";
  return `'${goQuote(char).slice(1, -1)}'`;
}
