// The kinds of flag values: each parses text into an exact value, or throws CONFIG with the expected form. The syntax
// is VictoriaMetrics': durations with a suffix, a bare number of months for retention, 10MB and 10MiB.
import { isIPv4, isIPv6 } from 'node:net';
import { StoreError } from './errors.ts';

/** A kind of value: the form a person must write (for help and docs), and its parser. */
export interface FlagKind<T> {
  readonly unit: string;
  parse(text: string): T;
}

const MS_OF_UNIT: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  M: 31 * 86_400_000, // the longest month: "keep one month" must never keep less
  y: 365 * 86_400_000,
};

const BYTES_OF_UNIT: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** Milliseconds of `1h30m`, `7d`, `1.5s`; a bare number counts months of 31 days, as in -retentionPeriod. */
export function parseDurationMs(text: string): number {
  const parts = /^\d+(\.\d+)?$/.test(text) ? [`${text}M`] : (text.match(/\d+(?:\.\d+)?(?:ms|[smhdwMy])/g) ?? []);
  const isWhole = parts.length > 0 && (parts.join('') === text || parts[0] === `${text}M`);
  if (!isWhole) refuse('a duration such as 500ms, 30s, 15m, 12h, 7d, 2w, 1M or 1y', text);
  let sumMs = 0;
  for (const part of parts) {
    const unit = part.replace(/^[\d.]+/, '');
    sumMs += Number(part.slice(0, -unit.length)) * (MS_OF_UNIT[unit] ?? NaN);
  }
  return safeInteger(Math.round(sumMs), text);
}

/** Bytes of `64MiB` (1024), `10MB` (1000) or a bare number; the case of the unit does not matter. */
export function parseBytes(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)([a-z]*)$/i.exec(text) ?? [];
  const factor = number === '' ? undefined : BYTES_OF_UNIT[unit.toLowerCase()];
  if (factor === undefined) refuse('a size such as 1048576, 10MB or 64MiB', text);
  return safeInteger(Math.round(Number(number) * factor), text);
}

/** A duration within bounds. `bareMonths`: a number without suffix means months. */
export function duration(bounds: { min: string; max: string; bareMonths?: boolean }): FlagKind<number> {
  const [minMs, maxMs] = [parseDurationMs(bounds.min), parseDurationMs(bounds.max)];
  return {
    unit: bounds.bareMonths === true ? 'duration; a bare number is months' : 'duration',
    parse: (text) => {
      if (bounds.bareMonths !== true && /^[\d.]+$/.test(text))
        refuse('a duration with a suffix such as ms, s, m or h', text);
      // Without the minimum, 12m meant as twelve months would quietly keep twelve minutes; say what to write.
      if (bounds.bareMonths === true && /[^a-z]m$/.test(text))
        refuse('a duration without minutes (months are M, as in 1M)', text);
      const ms = parseDurationMs(text);
      if (ms < minMs || ms > maxMs) refuse(`a duration from ${bounds.min} to ${bounds.max}`, text);
      return ms;
    },
  };
}

/** A size within bounds. */
export function bytes(bounds: { min: string; max: string }): FlagKind<number> {
  const [sizeMin, sizeMax] = [parseBytes(bounds.min), parseBytes(bounds.max)];
  return {
    unit: 'bytes',
    parse: (text) => {
      const size = parseBytes(text);
      if (size < sizeMin || size > sizeMax) refuse(`a size from ${bounds.min} to ${bounds.max}`, text);
      return size;
    },
  };
}

/** A whole number of `unit`s. */
export function count(unit: string, bounds: { min: number; max: number }): FlagKind<number> {
  return {
    unit,
    parse: (text) => {
      const value = /^\d+$/.test(text) ? Number(text) : NaN;
      const isInside = value >= bounds.min && value <= bounds.max;
      if (!isInside) refuse(`a whole number from ${bounds.min} to ${bounds.max}`, text);
      return value;
    },
  };
}

/** Go's spellings of true and false. */
export const boolean: FlagKind<boolean> = {
  unit: 'boolean',
  parse: (text) => {
    if (/^(1|t|true)$/i.test(text)) return true;
    if (/^(0|f|false)$/i.test(text)) return false;
    return refuse('true or false', text);
  },
};

/** One of a few words, exactly as written here. */
export function choice<const T extends string>(words: readonly T[]): FlagKind<T> {
  return {
    unit: words.join(' or '),
    parse: (text) => words.find((word) => word === text) ?? refuse(words.join(' or '), text),
  };
}

/** Any text, including the empty one. */
export const text: FlagKind<string> = { unit: 'text', parse: (value) => value };

/** A path of the file system, relative to the directory the process was started in. */
export const path: FlagKind<string> = {
  unit: 'path',
  parse: (value) => (value === '' || value.includes('\0') ? refuse('the path of a directory', value) : value),
};

/** A prefix of URL paths: empty, or `/a/b`; a slash at the end is removed. */
export const urlPrefix: FlagKind<string> = {
  unit: 'URL path',
  parse: (value) => {
    const isPrefix = /^(\/[\w.~-]+)*\/?$/.test(value) && !/\/\.{1,2}(\/|$)/.test(value);
    return isPrefix ? value.replace(/\/$/, '') : refuse('a URL path such as /tracelith', value);
  },
};

/** Origins of web pages, separated by commas: `https://host` or `http://host:port`, or `*`; empty: none. */
export const origins: FlagKind<readonly string[]> = {
  unit: 'origins',
  parse: (value) => {
    const list = value === '' ? [] : value.split(',').map((origin) => origin.trim());
    for (const origin of list) {
      if (origin !== '*' && !isOrigin(origin)) refuse('an origin such as https://shop.example, or *', origin);
    }
    return Object.freeze(list);
  },
};

/** Host names separated by commas, without ports, or `*`; empty: none. In lower case. */
export const hostNames: FlagKind<readonly string[]> = {
  unit: 'host names',
  parse: (value) => {
    const list = value === '' ? [] : value.split(',').map((name) => name.trim().toLowerCase());
    for (const name of list) {
      if (name !== '*' && (name === '' || !isHostName(name))) refuse('a host name such as traces.example, or *', name);
    }
    return Object.freeze(list);
  },
};

function isOrigin(text: string): boolean {
  return /^https?:\/\/[^*]+$/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}

/** Where to listen. Port 0 lets the system choose one. */
export interface ListenAddress {
  /** A name, an IPv4 address, or an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Whether only programs on this machine reach the address. */
export function isLoopback(host: string): boolean {
  return /^(127\.|::1$|localhost$)/.test(host);
}

/** `host:port`, `[ipv6]:port`, or `:port` for every IPv4 address (as in VictoriaMetrics; `[::]`: IPv4 and IPv6). */
export const listenAddress: FlagKind<ListenAddress> = {
  unit: 'address',
  parse: (value) => {
    const [, bracketed, bare = '', port = ''] = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(value) ?? [];
    const isHost = bracketed !== undefined ? isIPv6(bracketed) : isHostName(bare);
    if (port === '' || Number(port) > 65_535 || !isHost) {
      refuse('an address such as 127.0.0.1:10428, :10428 or [::1]:10428', value);
    }
    return Object.freeze({ host: bracketed ?? (bare === '' ? '0.0.0.0' : bare), port: Number(port) });
  },
};

/** Like listenAddress; an empty text disables the listener. */
export const optionalListenAddress: FlagKind<ListenAddress | undefined> = {
  unit: 'address, or empty for off',
  parse: (value) => (value === '' ? undefined : listenAddress.parse(value)),
};

/** The text form, with brackets around an IPv6 address, as grpc-js and URLs need it. */
export function formatAddress(address: ListenAddress): string {
  return isIPv6(address.host) ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

function isHostName(host: string): boolean {
  return /^[\d.]+$/.test(host) ? isIPv4(host) : /^[\w.-]*$/.test(host);
}

function safeInteger(value: number, source: string): number {
  return Number.isSafeInteger(value) ? value : refuse('a value below 2^53', source);
}

function refuse(expected: string, got: string): never {
  throw new StoreError('CONFIG', `expected ${expected}, got ${JSON.stringify(got.slice(0, 60))}`);
}
