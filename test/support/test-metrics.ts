// Metrics of a listener that a test opens: a version, memory and threads that tell nothing.
import { createMetrics, type Metrics, type MetricsOptions } from '../../src/api/edge/metrics.ts';
import { newMeter } from '../../src/base/thread-meter.ts';

export function testMetrics(
  options: Pick<MetricsOptions, 'admin' | 'storageDataPath' | 'shownFlags'> & Partial<MetricsOptions>,
): Metrics {
  return createMetrics({
    version: '0.0.0',
    memory: { allowedBytes: 2 ** 30, availableBytes: 2 ** 31 },
    logCounts: () => [],
    meters: { main: newMeter(), engine: newMeter() },
    ...options,
  });
}
