// A day of calls, as the dependency graph and the Monitor ask for them: /api/dependencies and /api/metrics/latencies by
// operation, for each service in turn. A server may have no metrics (Jaeger without a backend answers 501): it is not asked then.
import { fill } from '../harness/fill.ts';
import { measureGetFloor } from '../harness/floor.ts';
import type { Floor } from '../harness/floor.ts';
import { HttpClient } from '../harness/http-client.ts';
import type { BenchOptions } from '../harness/options.ts';
import { driveQueries, jaegerData } from '../harness/queries.ts';
import type { QueryReply } from '../harness/queries.ts';
import type { Figure, Report } from '../harness/report.ts';
import { mergeRows } from '../harness/report.ts';
import type { Target } from '../harness/target.ts';
import { onEachTarget, settle } from '../harness/target.ts';

const dayMs = 86_400_000;

export async function calls(options: BenchOptions, command: string): Promise<Report> {
  const floor = await measureGetFloor(options.connections);
  const measured = await onEachTarget(options, async (target) => ({
    target: target.name,
    rows: await measureCalls(target, options, floor),
  }));
  return {
    scenario: 'calls',
    command,
    targets: measured.map(({ target }) => target),
    rows: mergeRows(measured),
    notes: [
      `${options.frames ?? `profile ${options.profile}`}, seed ${options.seed}, spans over ${options.overSeconds} s, ${options.connections} connections, ${options.seconds} s per line, after flush and merge; floor: an empty GET`,
    ],
  };
}

async function measureCalls(
  target: Target,
  options: BenchOptions,
  floor: Pick<Floor, 'getP50Ms' | 'getP99Ms'>,
): Promise<Figure[]> {
  const filled = await fill(target, options);
  await settle(target);
  using client = new HttpClient(target.url, options.connections);
  const range = `endTs=${filled.toMs}&lookback=${dayMs}`;
  const listed = `${target.jaegerPath}/services`;
  const monitor = jaegerData(await client.get(listed), listed).map(
    (service) =>
      `${target.jaegerPath}/metrics/latencies?service=${encodeURIComponent(String(service))}&quantile=0.95&groupByOperation=true&${range}&step=60000&ratePer=600000&spanKind=server`,
  );
  const hasMetrics = monitor[0] !== undefined && (await client.get(monitor[0])).status === 200;
  const rows: Figure[] = [];
  const measure = async (
    name: string,
    paths: readonly string[],
    isAnswer: (text: string) => boolean,
  ): Promise<void> => {
    const path = (i: number): string => paths[i % paths.length] ?? '';
    const latencies = await driveQueries({
      url: target.url,
      connections: options.connections,
      seconds: options.seconds,
      path,
      check: ({ status, body }: QueryReply, i) => {
        if (status === 200 && (i >= paths.length || isAnswer(String(body)))) return;
        throw new Error(`GET ${path(i)}: status ${status}: ${String(body).slice(0, 300)}`);
      },
    });
    const { p50Ms, p99Ms, maxMs } = latencies.summary();
    rows.push(
      { metric: `${name}: p50`, unit: 'ms', value: p50Ms, floor: floor.getP50Ms },
      { metric: `${name}: p99`, unit: 'ms', value: p99Ms, floor: floor.getP99Ms },
      { metric: `${name}: max`, unit: 'ms', value: maxMs },
      { metric: `${name}: queries`, unit: '', value: latencies.count },
    );
  };
  await measure('dependencies, 24 h', [`${target.jaegerPath}/dependencies?${range}`], (text) =>
    text.includes('"parent"'),
  );
  if (hasMetrics)
    await measure('Monitor: latencies by operation, 24 h', monitor, (text) => text.includes('"metrics":['));
  return [...rows, { metric: 'spans stored', unit: 'spans', value: filled.spans }];
}
