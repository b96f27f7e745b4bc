// RFC 3339 times as Go's time.Parse reads them, with its error texts: for the time hints of Jaeger's /api/v3.
import { assert } from '../../base/assert.ts';
import { quoteForTime } from './go-quote.ts';

const LAYOUT = '2006-01-02T15:04:05.999999999Z07:00';

/** An element of the layout: its name in errors, and its pattern. */
const ELEMENTS: readonly (readonly [string, RegExp])[] = [
  ['2006', /^\d{4}/],
  ['-', /^-/],
  ['01', /^\d{2}/],
  ['-', /^-/],
  ['02', /^\d{2}/],
  ['T', /^T/],
  ['15', /^\d{1,2}/],
  [':', /^:/],
  ['04', /^\d{2}/],
  [':', /^:/],
  ['05', /^\d{2}(?:[.,]\d+)?/],
  ['Z07:00', /^(?:Z|[+-]\d{2}:\d{2})/],
];
const RANGES: ReadonlyMap<number, readonly [string, number, number]> = new Map([
  [2, ['month', 1, 12]],
  [6, ['hour', 0, 23]],
  [8, ['minute', 0, 59]],
  [10, ['second', 0, 59]],
]);

/** ns since the epoch of a time that rfc3339Error accepts; fraction digits after the ninth are cut off. */
export function rfc3339Ns(text: string): bigint {
  // Go accepts an hour of one digit, Date does not.
  const padded = text.replace(/T(\d):/, 'T0$1:');
  const [, base = '', fraction = '', sign, hours = '0', minutes = '0'] =
    /^(.{19})(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))$/.exec(padded) ?? [];
  const offsetMs = (Number(hours) * 60 + Number(minutes)) * 60_000 * (sign === '-' ? -1 : 1);
  const ms = Date.parse(`${base}Z`) - offsetMs;
  assert(!Number.isNaN(ms), 'a time was read that was not checked');
  return BigInt(ms) * 1_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
}

/** Go's error text for a time that is not RFC 3339; undefined if it is. */
export function rfc3339Error(text: string): string | undefined {
  const parsing = `parsing time ${quoteForTime(text)}`;
  const parts: string[] = [];
  let rest = text;
  for (const [index, [name, pattern]] of ELEMENTS.entries()) {
    const part = pattern.exec(rest)?.[0];
    if (part === undefined) return `${parsing} as "${LAYOUT}": cannot parse ${quoteForTime(rest)} as "${name}"`;
    const range = RANGES.get(index);
    if (range !== undefined && isOutside(Number.parseInt(part, 10), range[1], range[2]))
      return `${parsing}: ${range[0]} out of range`;
    parts.push(part);
    rest = rest.slice(part.length);
  }
  if (rest !== '') return `${parsing}: extra text: ${quoteForTime(rest)}`;
  const [, zoneHour = '', zoneMinute = ''] = /^[+-](\d\d):(\d\d)$/.exec(parts.at(-1)!) ?? [];
  if (Number(zoneHour) > 24) return `${parsing}: time zone offset hour out of range`;
  if (Number(zoneMinute) > 60) return `${parsing}: time zone offset minute out of range`; // 60 is Go's own bound
  const days = new Date(Date.UTC(Number(parts[0]), Number(parts[2]), 0)).getUTCDate();
  return isOutside(Number(parts[4]), 1, days) ? `${parsing}: day out of range` : undefined;
}

function isOutside(value: number, min: number, max: number): boolean {
  return value < min || value > max;
}
