// Does a figure grow over a run? Its slope is the median of the slopes between all pairs of samples (Theil and Sen), so that a merge's
// spike moves nothing. It grows when the slope, over the whole run, makes more than a share of the median and more than a size that matters.

export interface Sample {
  readonly second: number;
  readonly value: number;
}

export interface GrowthLimit {
  /** Growth over the run as a share of the median. */
  readonly shareMax: number;
  /** In the figure's own unit: less is noise whatever its share. */
  readonly sizeMin: number;
}

export interface Growth {
  readonly median: number;
  readonly perMinute: number;
  /** Over the time from the first sample to the last. */
  readonly overRun: number;
  readonly isGrowing: boolean;
}

// Pairs grow with the square: more samples than these are thinned out evenly.
const samplesMax = 300;

/** NaN and not growing when there are fewer than three samples. */
export function growthOf(samples: readonly Sample[], { shareMax, sizeMin }: GrowthLimit): Growth {
  if (samples.length < 3) return { median: NaN, perMinute: NaN, overRun: NaN, isGrowing: false };
  const step = Math.ceil(samples.length / samplesMax);
  const thin = samples.filter((_, i) => i % step === 0);
  const slopes: number[] = [];
  for (const [i, a] of thin.entries()) {
    for (const b of thin.slice(i + 1))
      if (b.second > a.second) slopes.push((b.value - a.value) / (b.second - a.second));
  }
  const perSecond = median(slopes);
  const overRun = perSecond * (samples.at(-1)!.second - samples[0]!.second);
  const middle = median(samples.map(({ value }) => value));
  return {
    median: middle,
    perMinute: perSecond * 60,
    overRun,
    isGrowing: overRun > sizeMin && overRun > shareMax * Math.abs(middle),
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? NaN) + (sorted[sorted.length >> 1] ?? NaN)) / 2;
}
