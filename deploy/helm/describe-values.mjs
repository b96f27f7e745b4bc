// Writes the table of values of each chart's README.md from values.schema.json, with the defaults of values.yaml:
// node deploy/helm/describe-values.mjs. `--check` only says which README.md is out of date, and exits with 1.
import { readFileSync, writeFileSync } from 'node:fs';
import { parse } from 'yaml';

const CHARTS = ['tracelith-single', 'tracelith-cluster'];
const [BEGIN, END] = ['<!-- values: node deploy/helm/describe-values.mjs -->', '<!-- end of values -->'];
const folder = new URL('./', import.meta.url);

let isCurrent = true;
for (const chart of CHARTS) {
  const page = new URL(`${chart}/README.md`, folder);
  const [before] = readFileSync(page, 'utf8').split(BEGIN);
  const after = readFileSync(page, 'utf8').split(END)[1] ?? '\n';
  const text = `${before}${BEGIN}\n\n${valuesTable(chart)}\n\n${END}${after}`;
  if (text === readFileSync(page, 'utf8')) continue;
  isCurrent = false;
  if (process.argv[2] === '--check')
    console.error(`deploy/helm/${chart}/README.md: run node deploy/helm/describe-values.mjs`);
  else writeFileSync(page, text);
}
if (process.argv[2] === '--check' && !isCurrent) process.exit(1);

/** Throws when a value of values.yaml is not described, or a described one has no default. */
function valuesTable(chart) {
  const schema = JSON.parse(readFileSync(new URL(`${chart}/values.schema.json`, folder), 'utf8'));
  const values = parse(readFileSync(new URL(`${chart}/values.yaml`, folder), 'utf8'));
  const rows = describe(schema, values, '').filter(([name]) => name !== 'global');
  return [
    '| value | default | meaning |',
    '| --- | --- | --- |',
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
  ].join('\n');
}

/** One row for each value that is no group of others. */
function describe(schema, values, path) {
  const names = new Set([...Object.keys(schema.properties), ...Object.keys(values)]);
  return [...names].flatMap((name) => {
    const [of, value, place] = [schema.properties[name], values[name], path === '' ? name : `${path}.${name}`];
    if (place === 'global') return [];
    if (of === undefined || value === undefined)
      throw new Error(
        `${place}: ${of ? 'described in values.schema.json, not in values.yaml' : 'in values.yaml, not described'}`,
      );
    if (of.properties !== undefined) return describe(of, value, place);
    if (!of.description) throw new Error(`${place}: has no description in values.schema.json`);
    return [[`\`${place}\``, shown(value), of.description]];
  });
}

function shown(value) {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text === '' ? '(empty)' : `\`${text.replaceAll('|', '\\|')}\``;
}
