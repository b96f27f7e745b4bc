// Figures as text for people. Pure.

const counts = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });

/** 1234567 → 1,234,567 */
export function formatCount(value: number): string {
  return counts.format(value);
}

/** 1536 → 1.5 KiB */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${short.format(value)} ${units[unit]}`;
}

/** How long ago, in the largest unit that fits: 90,000 ms → 1 min ago; ahead of now: in 1 min. */
export function formatAge(ms: number, nowMs: number): string {
  const seconds = Math.round(Math.abs(nowMs - ms) / 1000);
  if (seconds < 5) return 'just now';
  const text = formatSeconds(seconds);
  return ms <= nowMs ? `${text} ago` : `in ${text}`;
}

/** The same for a time that is known to its minute: the whole of that minute is now. */
export function formatMinuteAge(ms: number, nowMs: number): string {
  return ms <= nowMs && nowMs - ms < 60_000 ? 'just now' : formatAge(ms, nowMs);
}

/** 7,300 s → 2 h */
export function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3_600)} h`;
  return `${counts.format(Math.floor(seconds / 86_400))} d`;
}

/** Microseconds: 1,234 → 1.23 ms */
export function formatMicroseconds(us: number): string {
  if (us < 1_000) return `${short.format(us)} µs`;
  if (us < 1_000_000) return `${short.format(us / 1_000)} ms`;
  if (us < 60_000_000) return `${short.format(us / 1_000_000)} s`;
  return formatSeconds(us / 1_000_000);
}

/** ms since the epoch → 2026-11-20 17:50:32.997 UTC */
export function formatTime(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').replace('Z', ' UTC');
}

/** 20261120 → 2026-11-20 */
export function formatDay(name: string): string {
  return name.replace(/^(\d{4})(\d{2})(\d{2})$/, '$1-$2-$3');
}

/** A share as 0.1 %; what is more than nothing is never shown as 0. */
export function formatShare(part: number, whole: number): string {
  if (part === 0 || whole === 0) return '0 %';
  const percent = (100 * part) / whole;
  return percent < 0.1 ? '< 0.1 %' : `${short.format(percent)} %`;
}

/** A time of Date.toISOString as an input of times shows it: in the reader's time zone, to the second; '' for none. */
export function localTime(iso: string): string {
  const ms = Date.parse(iso);
  if (Number.isNaN(ms)) return '';
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
