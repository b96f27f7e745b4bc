// The field for tags: key=value, key="a value with spaces", separated by spaces, as in Jaeger UI; and comparisons other than =. Pure.

export interface Tag {
  readonly key: string;
  readonly comparison: (typeof COMPARISONS)[number];
  readonly value: string;
}

/** Longer ones first, so that `>=` is not read as `>`. */
const COMPARISONS = ['=~', '!=', '>=', '<=', '=', '>', '<'] as const;
const PAIR = new RegExp(`^([^\\s="<>!]+)(${COMPARISONS.join('|')})("(?:[^"\\\\]|\\\\.)*"|[^\\s"]*)(?:\\s+|$)`);
/** What a text that is no list of tags is told. */
export const TAGS_HELP = 'key=value key="a value" key!=value key>=500 key=~"pattern"';

/** undefined: the text is no list of tags. */
export function parseTags(text: string): readonly Tag[] | undefined {
  const tags: Tag[] = [];
  for (let rest = text.trim(); rest !== '';) {
    const [whole, key, comparison, value] = PAIR.exec(rest) ?? [];
    if (whole === undefined || key === undefined || value === undefined || !isComparison(comparison)) return undefined;
    tags.push({
      key,
      comparison,
      value: value.startsWith('"') ? value.slice(1, -1).replaceAll(/\\(.)/g, '$1') : value,
    });
    rest = rest.slice(whole.length);
  }
  return tags;
}

function isComparison(text: string | undefined): text is Tag['comparison'] {
  return (COMPARISONS as readonly (string | undefined)[]).includes(text);
}
