// Go's two ways of quoting a text in an error message; clients see them in Jaeger's 400 answers.

/** The quoting of package time, which differs from strconv.Quote: every byte outside printable ASCII as \\xNN. */
export function quoteForTime(text: string): string {
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  return `"${bytes.replace(/["\\]/g, '\\$&').replace(/[^ -\u007f]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)}"`;
}

const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\u0007', '\\a'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\v', '\\v'],
  ['"', '\\"'],
  ['\\', '\\\\'],
]);

/** strconv.Quote: double quotes, escapes for unprintable characters. */
export function goQuote(text: string): string {
  return `"${text.replace(/["\\]|(?! )[\p{C}\p{Z}]/gu, goEscape)}"`;
}

function goEscape(char: string): string {
  const short = SHORT_ESCAPES.get(char);
  if (short !== undefined) return short;
  const code = char.codePointAt(0)!;
  if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, '0')}`;
  return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
}
