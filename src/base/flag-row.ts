// One flag: its parser, and its text in -help and docs/CONFIG.md. the tables are in flags/.
import { boolean, type FlagKind } from './flag-value.ts';

export type FlagGroup =
  | 'storage'
  | 'ingest'
  | 'search'
  | 'http'
  | 'access'
  | 'tls'
  | 'cluster'
  | 'log'
  | 'watch'
  | 'process';

/** A flag as -help and docs/CONFIG.md show it. */
export interface FlagRow {
  /** Without dashes. */
  readonly name: string;
  readonly group: FlagGroup;
  readonly unit: string;
  /** In the form a person would write; for a computed default, how it is computed. */
  readonly default: string;
  readonly meaning: string;
  /** Why the default is what it is. */
  readonly reason: string;
  readonly example: string;
  readonly isBoolean: boolean;
  /** The program never shows the value. */
  readonly isSecret: boolean;
  /** A `file://` in the value is part of its meaning, and read again while the process runs. */
  readonly keepsFiles: boolean;
}

export interface FlagWords {
  readonly default: string;
  /** Replaces `default` in help and docs if the default depends on the machine. */
  readonly shownDefault?: string;
  readonly meaning: string;
  readonly reason: string;
  readonly example: string;
  readonly isSecret?: boolean;
  readonly keepsFiles?: boolean;
}

export interface Flag<T> {
  readonly row: FlagRow;
  readonly default: string;
  readonly parse: (text: string) => T;
}

export function flag<T>(group: FlagGroup, name: string, kind: FlagKind<T>, words: FlagWords): Flag<T> {
  const { default: value, shownDefault, meaning, reason, example, isSecret = false, keepsFiles = false } = words;
  const isBoolean = kind.unit === boolean.unit;
  const row = {
    name,
    group,
    unit: kind.unit,
    default: shownDefault ?? value,
    meaning,
    reason,
    example,
    isBoolean,
    isSecret,
    keepsFiles,
  };
  return { row: Object.freeze(row), default: value, parse: kind.parse };
}
