// What a PromQL expression asks for: metrics, and labels of each selector or grouping. Enough for the expressions in deploy/,
// not a parser of the language.

export interface PromqlNames {
  readonly metrics: readonly string[];
  readonly labels: readonly string[];
}

const KEYWORDS = new Set([
  'and',
  'or',
  'unless',
  'bool',
  'offset',
  'by',
  'without',
  'on',
  'ignoring',
  'group_left',
  'group_right',
]);
const LABEL_LISTS = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g;
/** Every scrape adds these; `le` and `quantile` belong to histograms and summaries. */
const SCRAPED_LABELS = new Set(['job', 'instance', 'le', 'quantile']);

export function promqlNames(expression: string): PromqlNames {
  const labels = new Set<string>();
  const bare = expression
    .replace(/"(?:[^"\\]|\\.)*"/g, '""')
    .replace(/\[[^\]]*\]/g, '')
    .replace(LABEL_LISTS, (_whole, list: string) => {
      for (const label of list.split(',')) if (label.trim() !== '') labels.add(label.trim());
      return ' ';
    })
    .replace(/\{([^}]*)\}/g, (_whole, list: string) => {
      for (const [, label = ''] of list.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)) labels.add(label);
      return ' ';
    });
  const metrics = [...bare.matchAll(/(?<![\w$])([a-zA-Z_:][\w:]*)(?!\s*\(|\w)/g)].map(([, name = '']) => name);
  return {
    metrics: [...new Set(metrics.filter((name) => !KEYWORDS.has(name) && !/^\d/.test(name)))],
    labels: [...labels].filter((label) => !SCRAPED_LABELS.has(label)),
  };
}
