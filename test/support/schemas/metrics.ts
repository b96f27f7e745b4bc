// /api/metrics/* as the UI's reducers read it (contract/jaeger.md §1.6): no envelope, `name` exact, `metrics` always an array.
import { z } from 'zod';
import { number } from './strict-json.ts';

const label = z.strictObject({ name: z.string().min(1), value: z.string() });
const point = z.strictObject({
  gaugeValue: z.strictObject({ doubleValue: z.union([number, z.literal('NaN')]) }),
  timestamp: z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/),
});

/** The answer named `service_…`, or `service_operation_…` when grouped, whose series carry exactly the labels of it. */
export function metricFamily(name: string, isGrouped: boolean): z.ZodType {
  const labels = z.array(label).refine(
    (given) =>
      given
        .map((one) => one.name)
        .sort()
        .join() === (isGrouped ? 'operation,service_name' : 'service_name'),
  );
  return z.strictObject({
    name: z.literal(name),
    type: z.literal('GAUGE'),
    help: z.string().min(1),
    metrics: z.array(z.strictObject({ labels, metricPoints: z.array(point) })),
  });
}
