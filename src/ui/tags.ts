// The field for tags: key=value, key="a value with spaces", separated by spaces, as in Jaeger UI. Pure.

const PAIR = /^([^\s="]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?:\s+|$)/;

/** By key; undefined: the text is no list of pairs. */
export function parseTags(text: string): Readonly<Record<string, string>> | undefined {
  const pairs: [string, string][] = [];
  for (let rest = text.trim(); rest !== '';) {
    const [whole, key, value] = PAIR.exec(rest) ?? [];
    if (whole === undefined || key === undefined || value === undefined) return undefined;
    pairs.push([key, value.startsWith('"') ? value.slice(1, -1).replaceAll(/\\(.)/g, '$1') : value]);
    rest = rest.slice(whole.length);
  }
  return Object.fromEntries(pairs);
}
