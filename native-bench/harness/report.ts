// A scenario's result as one aligned table for people, and as dated Markdown and JSON for later comparison.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Floor } from './floor.ts';
import type { Machine } from './machine.ts';

export interface Row {
  readonly metric: string;
  readonly unit: string;
  /** By target name. */
  readonly values: Readonly<Record<string, number | undefined>>;
  /** What this machine can do at best, in the same unit. */
  readonly floor?: number | undefined;
}

export interface Report {
  readonly scenario: string;
  /** What was run, for whoever wants to run it again. */
  readonly command: string;
  readonly targets: readonly string[];
  readonly rows: readonly Row[];
  readonly floor?: Floor;
  readonly notes: readonly string[];
}

/** A row of one target. */
export interface Figure extends Omit<Row, 'values'> {
  readonly value: number | undefined;
}

/** Joins the targets' own figures, in the order they first appear. */
export function mergeRows(perTarget: readonly { target: string; rows: readonly Figure[] }[]): Row[] {
  const merged = new Map<string, Row>();
  for (const { target, rows } of perTarget) {
    for (const { metric, unit, value, floor } of rows) {
      const before = merged.get(metric);
      merged.set(metric, {
        metric,
        unit,
        floor: before?.floor ?? floor,
        values: { ...before?.values, [target]: value },
      });
    }
  }
  return [...merged.values()];
}

export function formatReport(report: Report, machine: Machine): string {
  const lines = [`${report.scenario} on ${describe(machine)}`, '', ...formatTable(tableOf(report))];
  if (report.floor !== undefined) lines.push('', ...formatTable(floorTable(report.floor)));
  return [...lines, '', ...report.notes].join('\n');
}

/** Writes results/<date>-<scenario>.md and .json; returns the Markdown's path. */
export function saveReport(report: Report, machine: Machine, directory: string): string {
  mkdirSync(directory, { recursive: true });
  const date = new Date().toISOString();
  const base = join(directory, `${date.slice(0, 19).replaceAll(':', '')}-${report.scenario}`);
  const notes = report.notes.map((note) => `* ${note}`);
  const tables = [
    ...markdownTable(tableOf(report)),
    '',
    ...(report.floor === undefined ? [] : [...markdownTable(floorTable(report.floor)), '']),
  ];
  const text = [
    `# ${report.scenario}, ${date}`,
    '',
    describe(machine),
    '',
    `    ${report.command}`,
    '',
    ...tables,
    ...notes,
    '',
  ];
  writeFileSync(`${base}.md`, text.join('\n'));
  writeFileSync(`${base}.json`, `${JSON.stringify({ date, machine, ...report }, undefined, 2)}\n`);
  return `${base}.md`;
}

function describe(machine: Machine): string {
  return `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, Linux ${machine.kernel}, Node ${machine.node}`;
}

function tableOf({ rows, targets }: Report): string[][] {
  const first = targets[0] ?? '';
  const head = ['metric', 'unit', ...targets, 'floor', `${first}/floor`];
  return [
    head,
    ...rows.map((row) => [
      row.metric,
      row.unit,
      ...targets.map((target) => figure(row.values[target])),
      figure(row.floor),
      ratio(row.values[first], row.floor),
    ]),
  ];
}

function floorTable(floor: Floor): string[][] {
  const rows: [string, string, number | undefined][] = [
    ['memory copy', 'GB/s', floor.copyGBPerSecond],
    ['LZ4 of the bodies', 'MB/s', floor.lz4MBPerSecond],
    ['zstd-1 of the bodies', 'MB/s', floor.zstd1MBPerSecond],
    ['zstd-3 of the bodies', 'MB/s', floor.zstd3MBPerSecond],
    ['OTLP', 'B/span', floor.otlpBytesPerSpan],
    ['zstd-3 of OTLP, per request', 'B/span', floor.zstd3BytesPerSpan],
    ['write + fdatasync 64 KiB p50', 'ms', floor.fdatasyncP50Ms],
    ['write + fdatasync 64 KiB p99', 'ms', floor.fdatasyncP99Ms],
    ['raw LMDB put', 'puts/s', floor.lmdbPutsPerSecond],
    ['empty POST', 'spans/s', floor.postSpansPerSecond],
    ['empty POST CPU', 'µs/span', floor.postCpuUsPerSpan],
    ['empty POST p50', 'ms', floor.postP50Ms],
    ['empty POST p99', 'ms', floor.postP99Ms],
    ['empty GET p50', 'ms', floor.getP50Ms],
    ['empty GET p99', 'ms', floor.getP99Ms],
    ['start of a bare HTTP server', 'ms', floor.startMs],
  ];
  return [
    ['floor of this machine, this run', 'unit', 'value'],
    ...rows.map(([name, unit, value]) => [name, unit, figure(value)]),
  ];
}

function figure(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '–';
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US');
  return Number(value.toPrecision(3)).toString();
}

function ratio(value: number | undefined, floor: number | undefined): string {
  return value === undefined || Number.isNaN(value) || floor === undefined || floor === 0
    ? '–'
    : `${figure(value / floor)}×`;
}

function formatTable(cells: readonly (readonly string[])[]): string[] {
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => (i < 2 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ');
  return [line(cells[0] ?? []), widths.map((width) => '─'.repeat(width)).join('  '), ...cells.slice(1).map(line)];
}

function markdownTable(cells: readonly (readonly string[])[]): string[] {
  const line = (row: readonly string[]): string => `| ${row.join(' | ')} |`;
  const head = cells[0] ?? [];
  return [line(head), line(head.map((_, i) => (i < 2 ? '---' : '---:'))), ...cells.slice(1).map(line)];
}
