// Durations in Go's format, with Go's error texts: Jaeger's clients send "1.5s" and read "100ms" in warnings.
import { quoteForTime } from './go-quote.ts';

/** Longest first, so that "ms" is not read as "m". U+00B5 and U+03BC are both in use for micro. */
const UNIT_NS: ReadonlyMap<string, bigint> = new Map([
  ['ns', 1n],
  ['us', 1_000n],
  ['\u00b5s', 1_000n],
  ['\u03bcs', 1_000n],
  ['ms', 1_000_000n],
  ['s', 1_000_000_000n],
  ['m', 60_000_000_000n],
  ['h', 3_600_000_000_000n],
]);
const INT64_MAX = 2n ** 63n - 1n;

export type ParsedDuration = { readonly ns: bigint } | { readonly error: string };

/**
 * time.ParseDuration: a sign, then decimals each with a unit, for example "1h2.5m", or "0". In ns; fractions of a nanosecond
 * are cut off. The error is Go's text.
 */
export function parseGoDuration(text: string): ParsedDuration {
  const invalid = { error: `time: invalid duration ${quoteForTime(text)}` };
  const isNegative = text.startsWith('-');
  let rest = text.replace(/^[+-]/, '');
  if (rest === '0') return { ns: 0n };
  if (rest === '') return invalid;
  let ns = 0n;
  while (rest !== '') {
    const number = /^([0-9]*)(?:\.([0-9]*))?/.exec(rest)!;
    const [all, whole = '', fraction = ''] = number;
    if (whole === '' && fraction === '') return invalid;
    if (BigInt(whole) > INT64_MAX + 1n) return invalid; // BigInt('') is 0
    rest = rest.slice(all.length);
    const unit = /^[^.0-9]*/.exec(rest)![0];
    if (unit === '') return { error: `time: missing unit in duration ${quoteForTime(text)}` };
    const unitNs = UNIT_NS.get(unit);
    if (unitNs === undefined)
      return { error: `time: unknown unit ${quoteForTime(unit)} in duration ${quoteForTime(text)}` };
    rest = rest.slice(unit.length);
    ns += BigInt(whole) * unitNs + (BigInt(fraction) * unitNs) / 10n ** BigInt(fraction.length);
    if (ns > INT64_MAX + (isNegative ? 1n : 0n)) return invalid;
  }
  return { ns: isNegative ? -ns : ns };
}

/** Duration.String: "1h0m0.5s", "100ms", "-2µs", "0s". */
export function formatGoDuration(ns: bigint): string {
  if (ns === 0n) return '0s';
  const sign = ns < 0n ? '-' : '';
  const size = ns < 0n ? -ns : ns;
  if (size < 1_000n) return `${sign}${size}ns`;
  if (size < 1_000_000n) return `${sign}${decimal(size, 3)}\u00b5s`;
  if (size < 1_000_000_000n) return `${sign}${decimal(size, 6)}ms`;
  const minutes = size / 60_000_000_000n;
  const seconds = decimal(size % 60_000_000_000n, 9);
  if (minutes === 0n) return `${sign}${seconds}s`;
  if (minutes < 60n) return `${sign}${minutes}m${seconds}s`;
  return `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}s`;
}

/** `value` / 10^`digits`, without trailing zeros. */
function decimal(value: bigint, digits: number): string {
  const text = value.toString().padStart(digits + 1, '0');
  return `${text.slice(0, -digits)}.${text.slice(-digits)}`.replace(/\.?0+$/, '');
}
