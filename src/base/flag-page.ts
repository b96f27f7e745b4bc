// The tables of docs/CONFIG.md, made from the table of flags. The prose around them is written by hand.
import { assert } from './assert.ts';
import type { FlagGroup, FlagRow } from './flag-row.ts';

const HEADINGS: Readonly<Record<FlagGroup, string>> = {
  storage: '## Storage',
  ingest: '## Ingest',
  search: '## Search',
  http: '## HTTP',
  access: '## Access',
  tls: '## TLS',
  cluster: '## Cluster',
  log: '## The log',
  watch: '## Metrics and traces of the node',
  process: '## Process',
};
const HEAD = '| flag | default | unit | meaning | example |\n| --- | --- | --- | --- | --- |\n';

/** `page` with the rows of each group's table as the program knows them. A group without a heading is a bug. */
export function writeFlagTables(page: string, rows: readonly FlagRow[]): string {
  let written = page;
  for (const [group, heading] of Object.entries(HEADINGS)) {
    const start = written.indexOf(`${heading}\n`);
    assert(start >= 0, `docs/CONFIG.md has no heading ${heading}`);
    const table = written.indexOf(HEAD, start);
    assert(table >= 0, `docs/CONFIG.md has no table below ${heading}`);
    const body = table + HEAD.length;
    const end = body + (/^(\|.*\n)*/.exec(written.slice(body))?.[0].length ?? 0);
    const lines = rows.filter((row) => row.group === group).map(tableRow);
    written = written.slice(0, body) + lines.join('') + written.slice(end);
  }
  return written;
}

function tableRow({ name, default: value, unit, meaning, example }: FlagRow): string {
  const cells = [`\`-${name}\``, value === '' ? '(empty)' : value, unit, meaning, `\`${example}\``];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
}
