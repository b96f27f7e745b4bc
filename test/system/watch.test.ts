// What an operator installs beside a node: rules and dashboards ask only for what a loaded node shows, each rule links a
// section of the runbook, and Prometheus' own tool accepts the scrape and lets each rule fire.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasNatsServer, NatsServers } from '../../native-bench/harness/nats-servers.ts';
import { ALERT_CASES } from '../support/alert-cases.ts';
import { allMetrics } from '../support/metrics-page.ts';
import { ask, force, PROTOCOLS, search, sendTo } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { oneSpan } from '../support/one-span.ts';
import { promqlNames } from '../support/promql-names.ts';
import { RoleProcess } from '../support/role-process.ts';
import { root } from '../support/source-tree.ts';

const hasPromtool = spawnSync('promtool', ['--version']).error === undefined;
const folder = mkdtempSync(join(tmpdir(), 'tracelith-watch-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const alertFiles = readdirSync(join(root, 'deploy/alerts')).map((name) => join(root, 'deploy/alerts', name));
const dashboards = readdirSync(join(root, 'deploy/grafana')).map((name) => join(root, 'deploy/grafana', name));

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly runbook: string;
}

/** The rules of a file, which has each key on a line of its own. */
function rulesOf(path: string): Rule[] {
  const [, ...rules] = readFileSync(path, 'utf8').split(/^ *- alert: /m);
  return rules.map((text) => {
    const [alert = ''] = text.split('\n');
    const key = (name: string): string => new RegExp(`^ +${name}: (.*)$`, 'm').exec(text)?.[1] ?? '';
    return { alert, expr: key('expr'), runbook: key('runbook_url') };
  });
}

const rules = alertFiles.flatMap(rulesOf);

/** Every expression of a dashboard, also of its variables. */
function expressionsOf(path: string): string[] {
  const text = readFileSync(path, 'utf8');
  const found: string[] = [];
  JSON.parse(text, (key, value: unknown) => {
    if (key === 'expr' && typeof value === 'string') found.push(value);
    if (key === 'definition' && typeof value === 'string')
      found.push(value.replace(/^label_values\((.*), (\w+)\)$/, 'sum by ($2) ($1)'));
    return value;
  });
  return found;
}

/** Metrics that have samples only in trouble, or on some systems; their names and labels are checked all the same. */
const SELDOM: Readonly<Record<string, string>> = {
  up: 'Prometheus’ own',
  tracelith_parked_parts: 'only while parts are parked',
  tracelith_parked_log_files: 'only while log files are parked',
  tracelith_tls_certificate_expiry_timestamp_seconds: 'only with TLS; test/system/tls.test.ts reads it',
};

describe('of a loaded node', () => {
  let node: TestNode;
  let scrape = '';
  let openMetrics = '';
  let insertScrape = '';
  const logScrapes: string[] = [];
  const roles: RoleProcess[] = [];
  let nats: NatsServers | undefined;

  beforeAll(async () => {
    node = await startNode({ flags: ['-search.logSlowQueryDuration=1ms', '-insert.maxAttributesPerSpan=2'] });
    for (const [i, protocol] of PROTOCOLS.entries()) await sendTo(node, oneSpan(i + 1), { protocol });
    const attributes = ['a', 'b', 'c'].map((key) => ({ key, value: { stringValue: key } }));
    const [{ scopeSpans: [{ spans: [span] = [] } = {}] = [] } = {}] = oneSpan(9).resourceSpans ?? [];
    const refused = await sendTo(node, { resourceSpans: [{ scopeSpans: [{ spans: [{ ...span, attributes }] }] }] });
    expect(refused?.count).toBe(1);
    await force(node, 'merge');
    await search(node, { service: 'nobody' });
    await ask(node, '/no/such/path');
    [, , scrape] = await ask(node, '/metrics');
    const [, type, text] = await ask(node, '/metrics', { accept: 'application/openmetrics-text; version=1.0.0' });
    expect(type).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    openMetrics = text;
    roles.push(await RoleProcess.storing('a'));
    await roles[0]!.start();
    roles.push(await RoleProcess.inFront('insert', roles[0]!.address));
    await roles[1]!.start();
    insertScrape = await (await fetch(`${roles[1]!.url}/metrics`)).text();
    if (!hasNatsServer()) return;
    nats = await NatsServers.open({ servers: 1 });
    const log = [`-ingestLog=nats://${nats.addresses}`, '-ingestLog.partitions=2'];
    const own = ['-ingestLog.nodes=1', '-ingestLog.ordinal=0', '-ingestLog.syncFrom=http://127.0.0.1:1'];
    const reader = await RoleProcess.storing('b', false, [...log, ...own]);
    const once = ['-ingestLog.replicas=1', '-ingestLog.trust'];
    for (const role of [reader, await RoleProcess.inFront('insert', reader.address, [...log, ...once])]) {
      roles.push(role);
      await role.start();
      logScrapes.push(await (await fetch(`${role.url}/metrics`)).text());
    }
  }, 300_000);
  afterAll(async () => {
    await nats?.[Symbol.asyncDispose]();
    await node[Symbol.asyncDispose]();
    for (const role of roles) await role[Symbol.asyncDispose]();
  });

  /** Labels by name of metric, of all its samples together. */
  function shown(): Map<string, Set<string>> {
    const found = new Map<string, Set<string>>();
    for (const [, name = '', labels = ''] of [scrape, insertScrape, ...logScrapes]
      .join('')
      .matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)) {
      const known = found.get(name) ?? new Set();
      for (const [, label = ''] of labels.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)) known.add(label);
      found.set(name, known);
    }
    return found;
  }

  test.for([
    ...rules.map(({ alert, expr }) => [alert, [expr]] as const),
    ...dashboards.map((path) => [path.slice(root.length), expressionsOf(path)] as const),
  ])('%s asks only for metrics and labels that there are', ([, expressions], { skip }) => {
    skip(!hasNatsServer() && expressions.some((expression) => expression.includes('ingest_log')));
    const samples = shown();
    const rows = new Map(allMetrics().map((row) => [row.name, row]));
    const wrong: string[] = [];
    for (const expression of expressions) {
      const { metrics, labels } = promqlNames(expression);
      expect(metrics.length, expression).toBeGreaterThan(0);
      for (const name of metrics) {
        const isSeldom = SELDOM[name] !== undefined && (name === 'up' || rows.has(name));
        if (!samples.has(name) && !isSeldom) wrong.push(`${name} has no sample`);
      }
      const known = metrics.flatMap((name) => [...(samples.get(name) ?? []), ...(rows.get(name)?.labels ?? [])]);
      for (const label of labels)
        if (!known.includes(label)) wrong.push(`${label} is no label of ${metrics.join(', ')}`);
    }
    expect(wrong).toEqual([]);
  });

  test('every kind of thread shows its delay and its pauses', () => {
    const threadsOf = (name: string): Set<string | undefined> =>
      new Set([...scrape.matchAll(new RegExp(`^${name}\\{thread="(\\w+)"`, 'gm'))].map(([, thread]) => thread));
    const threads = new Set(['main', 'engine', 'query', 'merge', 'body']);
    expect(threadsOf('tracelith_gc_pause_seconds_count')).toEqual(threads);
    // Threads for large bodies start with the first one.
    threads.delete('body');
    expect(threadsOf('tracelith_event_loop_delay_max_seconds')).toEqual(threads);
  });

  test('an expression with an unknown metric or label would be found', () => {
    expect(shown().has('vt_no_such_metric')).toBe(false);
    expect(shown().get('vt_rows_dropped_total')).toEqual(new Set(['reason']));
  });

  test.skipIf(!hasPromtool)('promtool finds nothing to say about the scrape', () => {
    for (const input of [scrape, insertScrape, ...logScrapes]) {
      const said = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
      expect([said.status, said.stdout, said.stderr]).toEqual([0, '', '']);
    }
  });

  test.skipIf(!hasPromtool)('promtool reads the scrape as OpenMetrics', () => {
    // It imports only samples with a time.
    const timed = openMetrics.replace(/^([^#].*)$/gm, '$1 1795953600');
    const file = join(folder, 'scrape.om');
    writeFileSync(file, timed);
    const args = ['tsdb', 'create-blocks-from', 'openmetrics', file, join(folder, 'blocks')];
    const said = spawnSync('promtool', args, { encoding: 'utf8' });
    expect([said.status, said.stderr]).toEqual([0, '']);
  });
});

describe('the rules', () => {
  test('each links a section of the runbook', () => {
    const text = readFileSync(join(root, 'docs/operations/runbook.md'), 'utf8');
    const sections = [...text.matchAll(/^## (.*)$/gm)].map(([, title = '']) =>
      title.toLowerCase().replaceAll(' ', '-'),
    );
    const wrong = rules.filter(({ alert, runbook }) => {
      const [page, section = ''] = runbook.split('#');
      return page !== 'docs/operations/runbook.md' || !sections.includes(section) || !text.includes(`\`${alert}\``);
    });
    expect(wrong).toEqual([]);
    expect(rules.length).toBeGreaterThan(15);
  });

  test('each has a case in which it fires, and one in which it does not', () => {
    expect(Object.keys(ALERT_CASES).sort()).toEqual(rules.map(({ alert }) => alert).sort());
  });

  test.skipIf(!hasPromtool)('promtool lets each fire, and keeps it quiet otherwise', () => {
    // All together: the cases name different series.
    const tests = (['fires', 'quiet'] as const).map((which) => {
      const series = Object.values(ALERT_CASES).flatMap((one) => Object.entries(one[which]));
      expect(new Set(series.map(([name]) => name)).size).toBe(series.length);
      return {
        name: which,
        interval: '1m',
        input_series: series.map(([name, values]) => ({ series: name, values })),
        promql_expr_test: Object.keys(ALERT_CASES).map((alert) => ({
          expr: `count(ALERTS{alertname="${alert}", alertstate="firing"})`,
          eval_time: '2h',
          exp_samples: which === 'fires' ? [{ labels: '{}', value: 1 }] : [],
        })),
      };
    });
    const file = join(folder, 'rules.test.yaml');
    // JSON is YAML.
    writeFileSync(file, JSON.stringify({ rule_files: alertFiles, evaluation_interval: '1m', tests }));
    execFileSync('promtool', ['check', 'rules', ...alertFiles]);
    const said = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' });
    expect([said.status, said.stdout + said.stderr]).toEqual([0, expect.stringContaining('SUCCESS')]);
  });
});
