// A median and how far it can be trusted, without assuming anything of how the values are spread.

export interface Median {
  readonly median: number;
  /** An interval from one of the values to another that holds the true median in at least 95 % of all cases; all of them below six. */
  readonly from: number;
  readonly to: number;
}

/** Of at least one value. */
export function medianOf(values: readonly number[]): Median {
  if (values.length === 0) throw new Error('the median of nothing');
  const sorted = values.toSorted((x, y) => x - y);
  const { length } = sorted;
  const half = (length - 1) / 2;
  const median = (sorted[Math.floor(half)]! + sorted[Math.ceil(half)]!) / 2;
  const cut = leftOut(length);
  return { median, from: sorted[cut]!, to: sorted[length - 1 - cut]! };
}

/** How many of n values can be left out at each end: the most heads that n tosses of a coin show, with fewer, in 2.5 % of all cases. */
function leftOut(n: number): number {
  let ways = 1;
  let chance = 2 ** -n;
  let heads = 0;
  while (chance <= 0.025) {
    heads++;
    ways = (ways * (n - heads + 1)) / heads;
    chance += ways * 2 ** -n;
  }
  return Math.max(0, heads - 1);
}
