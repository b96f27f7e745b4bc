// The registry: events are summed, states are read once a scrape, and no name is given twice.
import { expect, test } from 'vitest';
import { writePrometheus } from '../../../src/api/metrics/exposition.ts';
import { bucketSamples, MetricRegistry } from '../../../src/api/metrics/metric-registry.ts';

const spec = (name: string, labels: string[] = []) => ({ name, unit: 'things', help: 'What it says', labels });

async function linesOf(registry: MetricRegistry): Promise<string[]> {
  return writePrometheus(await registry.collect())
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
}

test('the figures of a source come from one reading', async () => {
  const registry = new MetricRegistry();
  let reads = 0;
  const source = registry.source(async () => ++reads);
  source.gauge(spec('first'), (state) => state);
  source.counter(spec('second_total'), (state) => state);
  source.gauge(spec('unknown'), () => undefined);
  source.gauge(spec('by_kind', ['kind']), (state) => [{ labels: { kind: 'a' }, value: state }]);
  expect(await linesOf(registry)).toEqual(['first 1', 'second_total 1', 'by_kind{kind="a"} 1']);
  expect(await linesOf(registry)).toEqual(['first 2', 'second_total 2', 'by_kind{kind="a"} 2']);
});

test('a source that cannot be read fails the scrape', async () => {
  const registry = new MetricRegistry();
  registry.source(() => Promise.reject(new Error('gone'))).gauge(spec('any'), () => 1);
  await expect(registry.collect()).rejects.toThrow('gone');
});

test('events are summed from one scrape to the next', async () => {
  const registry = new MetricRegistry();
  const counter = registry.counter(spec('events_total', ['kind']));
  const histogram = registry.histogram(spec('sizes'), [1, 10]);
  for (let i = 0; i < 2; i++) {
    counter.inc({ kind: 'a' });
    histogram.observe(5);
    await registry.collect();
  }
  const lines = await linesOf(registry);
  expect(lines).toContain('events_total{kind="a"} 2');
  expect(lines).toEqual(expect.arrayContaining(['sizes_bucket{le="1"} 0', 'sizes_bucket{le="10"} 2', 'sizes_sum 10']));
});

test('two metrics of one name are a bug', () => {
  const registry = new MetricRegistry();
  registry.counter(spec('events_total'));
  expect(() => registry.source(() => 1).gauge(spec('events_total'), () => 1)).toThrow(/BUG.*events_total/);
});

test('counts become cumulative buckets', () => {
  const samples = bucketSamples('pause', { thread: 'main' }, { bounds: [1, 2], counts: [3, 0, 4], sum: 50 });
  expect(samples.map(({ name, labels, value }) => [name, labels['le'], value])).toEqual([
    ['pause_bucket', 1, 3],
    ['pause_bucket', 2, 3],
    ['pause_bucket', '+Inf', 7],
    ['pause_sum', undefined, 50],
    ['pause_count', undefined, 7],
  ]);
});
