// One line per event on stderr, for people (default) or machines (-loggerFormat=json). Nothing else writes there. A
// message is a constant text, and variable data goes into fields, because repeats are recognised by (level, message): a
// flood of one warning costs a few lines per interval, and the next printed line says how many were left out.
import { systemClock, type Clock } from './clock.ts';
import { isStoreError } from './errors.ts';

export const LOG_LEVELS = ['INFO', 'WARN', 'ERROR'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_FORMATS = ['default', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/**
 * Printed in the given order; undefined fields are left out. Values are unknown because a caught value may be anything:
 * an Error is described with its causes, other values become strings. The line's own field names are reserved.
 */
export interface LogFields {
  readonly [name: string]: unknown;
  readonly ts?: never;
  readonly level?: never;
  readonly msg?: never;
  readonly suppressed?: never;
}

export interface Logger {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Lines of one level and message since start. */
export interface LogCount {
  readonly level: LogLevel;
  readonly message: string;
  /** Those left out included. */
  readonly count: number;
  /** Left out as repeats. */
  readonly suppressed: number;
}

/** A Logger that also counts its lines, for /metrics. */
export interface LineLogger extends Logger {
  counts(): LogCount[];
}

export interface LogOptions {
  /** Lines below this level are not written. Default INFO. */
  readonly level?: LogLevel;
  readonly format?: LogFormat;
  readonly clock?: Clock;
  /** Receives a finished line, newline included. Default: the process's stderr. */
  readonly write?: (line: string) => void;
}

/** Five lines of a kind show whether their fields differ; more in ten seconds hide everything else. */
const REPEATS_MAX = 5;
const REPEAT_INTERVAL_MS = 10_000;
/** Distinct messages whose repeats are counted. Messages are constants in the source, so there are always fewer. */
const MESSAGES_MAX = 1_000;
/** Characters of one value, as VictoriaMetrics' -loggerMaxArgLen: a request body in a log line helps nobody. */
const VALUE_CHARS_MAX = 5_000;
/** Causes and collected errors followed below one error; deeper ones are most likely a cycle. */
const CAUSES_MAX = 8;

/** Makes the log of a process. INFO is never rate-limited: its lines are events of the life of the process. */
export function createLogger(options: LogOptions = {}): LineLogger {
  const { level: levelMin = 'INFO', format = 'default', clock = systemClock } = options;
  const write = options.write ?? ((line: string): void => void process.stderr.write(line));
  const repeats = new RepeatLimit();

  const put = (level: LogLevel, message: string, fields: LogFields): void => {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(levelMin)) return;
    const nowMs = clock.nowMs();
    const suppressed = repeats.admit(level, message, nowMs);
    if (suppressed < 0) return;
    const shown = Object.entries(fields).filter(([, value]) => value !== undefined);
    if (suppressed > 0) shown.push(['suppressed', suppressed]);
    const ts = new Date(nowMs).toISOString();
    write(format === 'json' ? jsonLine(ts, level, message, shown) : textLine(ts, level, message, shown));
  };
  return {
    info: (message, fields = {}) => put('INFO', message, fields),
    warn: (message, fields = {}) => put('WARN', message, fields),
    error: (message, fields = {}) => put('ERROR', message, fields),
    counts: () => repeats.counts(),
  };
}

interface Repeat {
  readonly level: LogLevel;
  readonly message: string;
  startMs: number;
  written: number;
  suppressed: number;
  /** Since start. */
  total: number;
  suppressedTotal: number;
}

/** Counts lines by level and message: REPEATS_MAX per REPEAT_INTERVAL_MS pass, and every INFO. */
class RepeatLimit {
  readonly #repeats = new Map<string, Repeat>();

  /** -1: leave the line out. Otherwise write it, with this number of lines of its kind left out since the last one. */
  admit(level: LogLevel, message: string, nowMs: number): number {
    const repeat = this.#repeatOf(level, message);
    repeat.total++;
    // A clock set back starts a new interval too; otherwise the message would be silent until the clock catches up.
    const isNew = nowMs < repeat.startMs || nowMs - repeat.startMs >= REPEAT_INTERVAL_MS;
    if (isNew) {
      const { suppressed } = repeat;
      Object.assign(repeat, { startMs: nowMs, written: 1, suppressed: 0 });
      return suppressed;
    }
    if (level === 'INFO' || repeat.written < REPEATS_MAX) {
      repeat.written++;
      return 0;
    }
    repeat.suppressed++;
    repeat.suppressedTotal++;
    return -1;
  }

  counts(): LogCount[] {
    return [...this.#repeats.values()].map(({ level, message, total: count, suppressedTotal: suppressed }) => {
      return { level, message, count, suppressed };
    });
  }

  #repeatOf(level: LogLevel, given: string): Repeat {
    const known = this.#repeats.get(`${level} ${given}`);
    if (known !== undefined) return known;
    const message = this.#repeats.size < MESSAGES_MAX ? given : 'other messages';
    const key = `${level} ${message}`;
    const counts = { startMs: -Infinity, written: 0, suppressed: 0, total: 0, suppressedTotal: 0 };
    const repeat = this.#repeats.get(key) ?? { level, message, ...counts };
    this.#repeats.set(key, repeat);
    return repeat;
  }
}

type ShownFields = readonly (readonly [name: string, value: unknown])[];

function textLine(ts: string, level: LogLevel, message: string, fields: ShownFields): string {
  let line = `${ts} ${level.padEnd(5)} ${escapeControls(cut(message))}`;
  for (const [name, value] of fields) line += ` ${name}=${textValue(value)}`;
  return `${line}\n`;
}

function jsonLine(ts: string, level: LogLevel, message: string, fields: ShownFields): string {
  const shown = fields.map(([name, value]) => [name, jsonValue(value)] as const);
  // What JSON leaves as it is stands inside strings only, where an escape means the same.
  return `${escapeControls(JSON.stringify({ ts, level, msg: cut(message), ...Object.fromEntries(shown) }))}\n`;
}

function jsonValue(value: unknown): string | number | boolean | null {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (typeof value === 'boolean') return value;
  return cut(plain(value));
}

/** Bare if it is unambiguous for a reader and for a split at spaces, else quoted as JSON. */
function textValue(value: unknown): string {
  const text = cut(plain(value));
  return /^[^\s"=\p{Cc}\p{Cf}]+$/u.test(text) ? text : escapeControls(JSON.stringify(text));
}

function plain(value: unknown): string {
  return value instanceof Error ? describeError(value) : String(value);
}

/**
 * One error and its causes in one line of text: `CODE message; caused by …`. An error that is not a StoreError was
 * unexpected, so its stack is included.
 */
export function describeError(error: unknown): string {
  const lines: string[] = [];
  const queue: unknown[] = [error];
  while (queue.length > 0 && lines.length < CAUSES_MAX) {
    const next = queue.shift();
    lines.push(describeOne(next));
    if (next instanceof AggregateError) queue.push(...next.errors.slice(0, CAUSES_MAX));
    if (next instanceof Error && next.cause !== undefined) queue.push(next.cause);
  }
  return lines.join('; caused by ');
}

function describeOne(error: unknown): string {
  if (isStoreError(error)) return `${error.code} ${error.message}`;
  if (error instanceof Error) return error.stack ?? `${error.name}: ${error.message}`;
  return String(error);
}

function cut(text: string): string {
  return text.length <= VALUE_CHARS_MAX ? text : `${text.slice(0, VALUE_CHARS_MAX)}… (${text.length} characters)`;
}

/**
 * A line break would let a client forge log lines, an escape sequence could change what a terminal shows, and so could a mark
 * that turns the direction of text. JSON leaves U+0085, U+2028 and these marks unescaped.
 */
function escapeControls(text: string): string {
  return text.replace(
    /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c\ufeff]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
