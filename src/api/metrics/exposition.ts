// Writes metrics as text: Prometheus' format 0.0.4, or OpenMetrics 1.0 for scrapers that prefer it. Pure.
import type { MetricFamily, Sample } from './metric-registry.ts';

export interface Exposition {
  readonly contentType: string;
  readonly write: (families: readonly MetricFamily[]) => string;
}

export const PROMETHEUS: Exposition = {
  contentType: 'text/plain; version=0.0.4; charset=utf-8',
  write: writePrometheus,
};

const OPEN_METRICS: Exposition = {
  contentType: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
  write: writeOpenMetrics,
};

/** The format that an Accept header prefers; Prometheus' without one. */
export function chooseExposition(accept: string = ''): Exposition {
  const quality = (type: string): number => {
    const range = accept
      .toLowerCase()
      .split(',')
      .map((one) => one.split(';').map((word) => word.trim()))
      .find(([name, ...params]) => name === type && !params.includes('version=0.0.1'));
    if (range === undefined) return 0;
    const given = range.find((param) => param.startsWith('q='));
    return given === undefined ? 1 : Number(given.slice(2)) || 0;
  };
  const open = quality('application/openmetrics-text');
  return open > 0 && open >= quality('text/plain') ? OPEN_METRICS : PROMETHEUS;
}

export function writePrometheus(families: readonly MetricFamily[]): string {
  let text = '';
  for (const { name, kind, help, samples } of families) {
    text += `# HELP ${name} ${escape(help, false)}\n# TYPE ${name} ${kind}\n`;
    for (const sample of samples)
      text += `${sample.name ?? name}${labelsOf(sample, String)} ${valueOf(sample.value)}\n`;
  }
  return text;
}

/** Units that are the end of a metric's name, as OpenMetrics wants it. */
const NAMED_UNITS = ['seconds', 'bytes'];

export function writeOpenMetrics(families: readonly MetricFamily[]): string {
  let text = '';
  for (const { name, kind, unit, help, samples } of families) {
    // A counter's family is called without the _total of its samples.
    const family = kind === 'counter' ? name.replace(/_total$/, '') : name;
    text += `# TYPE ${family} ${kind}\n`;
    if (NAMED_UNITS.includes(unit) && family.endsWith(`_${unit}`)) text += `# UNIT ${family} ${unit}\n`;
    text += `# HELP ${family} ${escape(help, true)}\n`;
    for (const sample of samples)
      text += `${sample.name ?? name}${labelsOf(sample, floatText)} ${valueOf(sample.value)}\n`;
  }
  return `${text}# EOF\n`;
}

function labelsOf({ labels }: Sample, numberText: (value: number) => string): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${typeof value === 'number' ? numberText(value) : escape(value, true)}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** Bounds and quantiles are floats in OpenMetrics: 1.0, not 1. */
function floatText(value: number): string {
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}

function valueOf(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}

function escape(text: string, isQuoted: boolean): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return isQuoted ? escaped.replaceAll('"', '\\"') : escaped;
}
