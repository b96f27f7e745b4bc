// `tracelith sync`: makes two running nodes have the same spans, day by day. Copies what one lacks; nothing is ever removed.
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StoreError } from '../base/errors.ts';
import { nodeDisk } from '../disk/node-disk.ts';
import { partitionOfTrace } from '../cluster/placement.ts';
import {
  areComparable,
  areTwins,
  fillableGaps,
  hasGap,
  sharedPartitions,
  type GapRange,
  type PlaceInLog,
} from '../ingest-log/place-in-log.ts';
import {
  askPlaceInLog,
  askTenants,
  compareDay,
  copyTraces,
  writePathOf,
  type DayDifference,
  type DayPair,
} from './copy-day.ts';
import type { NodeClient } from './node-client.ts';
import { formatBytes, Ticker } from './progress.ts';
import { EXIT_FAILED, EXIT_OK, type Terminal } from './terminal.ts';
import { DEFAULT_URL, LOGIN_HELP, LOGIN_OPTIONS, nodesOf, readDayPrefix, readOptions } from './tool-options.ts';

export const SYNC_HELP = `Compares the days of two running nodes span by span, and copies the traces of which one lacks something. Safe to
interrupt and to repeat: what is there already is not copied again, and nothing is ever removed. Storage nodes of a log (-ingestLog) are
copied only where they read the same partitions, also between zones of other sizes; what the target lacked of these is filled then.
  --from URL            the node to copy from
  --to URL              the node to copy to, default ${DEFAULT_URL}
  --both                also copy the other way: then both have everything
  --day YYYYMMDD        only this day, or the days that begin so (202611)
${LOGIN_HELP}Exit code: 0 the target has every span of the source (with --both also the other way round), 1 it has not, 2 wrong usage.
`;

/** Totals over days and tenants. */
export interface SyncSums {
  spans: number;
  copied: number;
  bytes: number;
  /** Traces that still differ after copying. */
  left: number;
  /** Traces that only the target has, and nobody asked to copy. */
  extra: number;
  warnings: number;
}

export interface SyncNodes {
  readonly from: NodeClient;
  readonly to: NodeClient;
  readonly isBoth: boolean;
}

/** Both nodes' parts of the log when the work began; undefined: a node reads none. */
interface Places {
  readonly from: PlaceInLog | undefined;
  readonly to: PlaceInLog | undefined;
  /** The partitions that both read; undefined: no node reads a log. */
  readonly shared?: readonly number[];
}

/** Runs the tool; returns the exit code. Throws CONFIG, UNAVAILABLE, INVALID_REQUEST, DISK. */
export async function sync(args: readonly string[], terminal: Terminal): Promise<number> {
  const text = { type: 'string' } as const;
  const given = readOptions(args, {
    from: text,
    to: text,
    day: text,
    ...LOGIN_OPTIONS,
    both: { type: 'boolean' },
  });
  const prefix = readDayPrefix(given['day']);
  const nodes = { ...nodesOf(given), isBoth: given['both'] === true };
  return (await syncDays(nodes, { prefix }, terminal)).isEqual ? EXIT_OK : EXIT_FAILED;
}

export interface SyncRange {
  /**
   * How the days begin that are compared; '': all. Only then gaps of the log are filled: a message may have spans of any day, because insert
   * nodes with other flags have accepted them.
   */
  readonly prefix: string;
  /** Of the target's gaps only these are filled, if they are still the same; all that it has when the work begins if absent. */
  readonly gaps?: readonly GapRange[];
  /** For temporary files; that of the system when absent. */
  readonly workFolder?: string;
}

export interface Synced {
  /** The target has now every span of the source. */
  readonly isEqual: boolean;
  /** Partitions of the log of which the target lacks nothing any more. */
  readonly filled: readonly number[];
}

/** Throws as sync(). */
export async function syncDays(nodes: SyncNodes, range: SyncRange, terminal: Terminal): Promise<Synced> {
  const sums: SyncSums = { spans: 0, copied: 0, bytes: 0, left: 0, extra: 0, warnings: 0 };
  const places = await askPlaces(nodes);
  const days = await daysOf(nodes, range);
  let tenants = 0;
  for (const day of days) tenants += await syncDay(nodes, day, { ...range, terminal, sums, places });
  terminal.out(summaryOf(days.length, sums));
  const isEqual = sums.left === 0 && sums.warnings === 0;
  if (!isEqual || range.prefix !== '') return { isEqual, filled: [] };
  const isNothingSeen = days.length > 0 && tenants === 0;
  return { isEqual, filled: await fillGaps(nodes, places, { ...range, terminal, isNothingSeen }) };
}

/** Throws CONFIG if a copy would bring a storage node of a log spans of partitions that are not its own. */
export async function askPlaces({ from, to, isBoth }: SyncNodes): Promise<Places> {
  const places = { from: await askPlaceInLog(from), to: await askPlaceInLog(to) };
  if (places.to === undefined && (!isBoth || places.from === undefined)) return places;
  const shared = places.from && places.to && sharedPartitions(places.from, places.to);
  if (shared !== undefined && shared.length > 0) return { ...places, shared };
  const shown = ({ url }: NodeClient, place: PlaceInLog | undefined): string =>
    place === undefined
      ? `${url} reads no log`
      : `${url} is node ${place.ordinal} of ${place.nodes} of a log with ${place.partitions} partitions`;
  const what = `${shown(from, places.from)}, ${shown(to, places.to)}`;
  const remedy =
    'spans are copied only between nodes of one log that read some partition both (docs/operations/log.md)';
  throw new StoreError('CONFIG', `${what}: ${remedy}`);
}

interface Compared extends Pick<SyncRange, 'gaps'> {
  readonly terminal: Terminal;
  /** There are days, and no tenant of them was compared. */
  readonly isNothingSeen: boolean;
}

/** Tells the target what it lacks no more: what the other node had when the comparison began. Resolves with these partitions. */
async function fillGaps({ from, to }: SyncNodes, places: Places, compared: Compared): Promise<number[]> {
  const { terminal, isNothingSeen } = compared;
  const gaps = places.to?.gaps.filter(({ partition }) => places.shared?.includes(partition)) ?? [];
  if (gaps.length === 0) return [];
  if (isNothingSeen) {
    terminal.err(`${from.url} has days and told of no spans in them, so nothing was compared\n`);
    return [];
  }
  const fillable = fillableGaps(places.from!, places.to!);
  const shown = (some: PlaceInLog['gaps']): string => some.map(({ what }) => `  ${what}\n`).join('');
  const left = gaps.filter((gap) => !fillable.includes(gap));
  const why = areComparable(places.from!, places.to!)
    ? `${from.url} lacks messages of the log itself`
    : 'other programs may write to this log, and only of a twin is known which of their traces it should have';
  if (left.length > 0) terminal.err(`${why}, so ${to.url} still counts as lacking these:\n${shown(left)}`);
  if (fillable.length === 0) return [];
  const { gaps: begun = places.to!.gaps } = compared;
  const now = (await askPlaceInLog(to))?.gaps ?? [];
  // What came to a gap meanwhile was not compared.
  const filled = fillable.filter((gap) => hasGap(begun, gap) && hasGap(now, gap));
  if (filled.length < fillable.length)
    terminal.err(`what ${to.url} lacks of the log has changed meanwhile: run it again\n`);
  if (filled.length === 0) return [];
  const partitions = filled.map(({ partition }) => partition);
  await to.call(`/internal/partition/fill_log_gaps?partitions=${partitions.join()}`);
  terminal.out(`${to.url} has what it had missed of the log:\n${shown(filled)}`);
  return partitions;
}

async function daysOf({ from, to, isBoth }: SyncNodes, { prefix }: SyncRange): Promise<string[]> {
  const lists = await Promise.all([from, ...(isBoth ? [to] : [])].map((node) => listDays(node)));
  return [...new Set(lists.flat())].filter((day) => day.startsWith(prefix)).sort();
}

export async function listDays(node: NodeClient): Promise<string[]> {
  return await node.callJson<string[]>('/internal/partition/list');
}

function summaryOf(days: number, { spans, copied, bytes, left, extra, warnings }: SyncSums): string {
  const end = [
    left === 0 ? 'nothing is missing' : `${left} traces still differ: run it again`,
    ...(extra === 0 ? [] : [`${extra} traces are only in the target (--both copies them too)`]),
    ...(warnings === 0 ? [] : [`${warnings} warnings, see above`]),
  ].join('; ');
  return `sync: ${days} days, ${spans} spans compared, ${copied} traces copied (${formatBytes(bytes)}): ${end}\n`;
}

export interface SyncReport {
  readonly terminal: Terminal;
  readonly sums: SyncSums;
  readonly places: Places;
  /** As SyncRange has it. */
  readonly workFolder?: string;
}

/** Copies what is missing of a day, of every tenant, and adds it to the sums. Resolves with the number of tenants. */
export async function syncDay(nodes: SyncNodes, day: string, report: SyncReport): Promise<number> {
  const workPath = join(report.workFolder ?? tmpdir(), `tracelith-sync-${randomBytes(6).toString('hex')}`);
  nodeDisk.makeDir(workPath);
  try {
    const tenants = await tenantsOf(nodes, day);
    for (const tenant of tenants) {
      const pair = { disk: nodeDisk, workPath, from: nodes.from, to: nodes.to, day, tenant };
      await syncTenant(nodes, { ...pair, isMeant: isMeant(report.places) }, report);
    }
    return tenants.length;
  } finally {
    nodeDisk.remove(workPath);
  }
}

/** Which traces are compared and copied: between twins all, between others those that insert nodes put into partitions that both read. */
export function isMeant({ from, to, shared }: Places): (traceId: Uint8Array) => boolean {
  if (from === undefined || to === undefined || shared === undefined || areTwins(from, to)) return () => true;
  const own = new Set(shared);
  return (traceId) => own.has(partitionOfTrace(traceId, 0, to.partitions));
}

async function tenantsOf({ from, to, isBoth }: SyncNodes, day: string): Promise<string[]> {
  const nodes = [from, ...(isBoth ? [to] : [])];
  const lists = await Promise.all(nodes.map((node) => askTenants(node, day)));
  return [...new Set(lists.flat())].sort();
}

/** Compares, copies, and if something was copied compares again. */
async function syncTenant(nodes: SyncNodes, pair: DayPair, { terminal, sums, places }: SyncReport): Promise<void> {
  const { day, tenant } = pair;
  const ticker = new Ticker(terminal, `sync ${day} ${tenant}`);
  let copied = 0;
  const copyFrom = async (source: NodeClient, target: NodeClient, ids: readonly Buffer[]): Promise<void> => {
    const writePath = writePathOf(target === nodes.to ? places.to : places.from);
    const done = await copyTraces({ from: source, to: target, tenant, ids, writePath }, (traces, bytes) => {
      copied += traces;
      sums.bytes += bytes;
      ticker.tell(`${copied} traces copied`);
    });
    warn(done.rejections);
  };
  const warn = (warnings: readonly string[]): void => {
    ticker.clear();
    sums.warnings += warnings.length;
    for (const warning of warnings) terminal.err(`${warning}\n`);
  };
  ticker.tell('comparing');
  const before = await compareDay(pair, {
    onlyFrom: (ids) => copyFrom(nodes.from, nodes.to, ids),
    onlyTo: async (ids) => (nodes.isBoth ? await copyFrom(nodes.to, nodes.from, ids) : undefined),
  });
  warn(before.warnings);
  ticker.tell(`${copied} traces copied, comparing again`);
  const after = copied === 0 ? before : await compareDay(pair, { onlyFrom: nothing, onlyTo: nothing });
  ticker.clear();
  add(sums, before, after, { copied, isBoth: nodes.isBoth });
  const left = leftOf(after, nodes.isBoth);
  const state = left === 0 ? 'equal' : `${left} still differ`;
  terminal.out(`${day} ${tenant}: ${before.spans} spans, ${copied} traces copied, ${state}\n`);
}

async function nothing(): Promise<void> {}

function leftOf({ onlyFrom, onlyTo }: DayDifference, isBoth: boolean): number {
  return onlyFrom + (isBoth ? onlyTo : 0);
}

function add(
  sums: SyncSums,
  before: DayDifference,
  after: DayDifference,
  { copied, isBoth }: { readonly copied: number; readonly isBoth: boolean },
): void {
  sums.spans += before.spans;
  sums.copied += copied;
  sums.left += leftOf(after, isBoth);
  if (!isBoth) sums.extra += after.onlyTo;
}
