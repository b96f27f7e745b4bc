// Two traces step by step: spans of one service and name are one step, and its own time is that in which none of their children ran. So a
// difference shows where it arises, and not at everything above it. Pure.
import { parentOf, type JaegerSpan, type JaegerTrace } from './trace-rows.ts';

/** The spans of a step in one trace. */
export interface StepFigures {
  readonly spans: number;
  readonly errors: number;
  /** Summed, µs. */
  readonly ownUs: number;
}

export interface ComparedStep {
  readonly service: string;
  readonly operation: string;
  /** Of the first and of the second trace. */
  readonly figures: readonly [StepFigures, StepFigures];
  /** Own time of the second trace less that of the first, µs. */
  readonly moreUs: number;
}

const NONE: StepFigures = { spans: 0, errors: 0, ownUs: 0 };

/** Steps of either trace, the largest difference first. */
export function compareTraces(first: JaegerTrace, second: JaegerTrace): ComparedStep[] {
  const [left, right] = [stepsOf(first), stepsOf(second)];
  return [...new Set([...left.keys(), ...right.keys()])]
    .map((key): ComparedStep => {
      const [service, operation] = JSON.parse(key) as [string, string];
      const figures = [left.get(key) ?? NONE, right.get(key) ?? NONE] as const;
      return { service, operation, figures, moreUs: figures[1].ownUs - figures[0].ownUs };
    })
    .toSorted((a, b) => Math.abs(b.moreUs) - Math.abs(a.moreUs));
}

function stepsOf({ spans, processes }: JaegerTrace): Map<string, StepFigures> {
  const children = Map.groupBy(spans, (span) => parentOf(span) ?? '');
  const steps = new Map<string, StepFigures>();
  for (const span of spans) {
    const key = JSON.stringify([processes[span.processID]?.serviceName ?? '', span.operationName]);
    const before = steps.get(key) ?? NONE;
    steps.set(key, {
      spans: before.spans + 1,
      errors: before.errors + (isFailed(span) ? 1 : 0),
      ownUs: before.ownUs + ownUs(span, children.get(span.spanID) ?? []),
    });
  }
  return steps;
}

/** The span's time without that in which a child ran. */
function ownUs({ startTime, duration }: JaegerSpan, children: readonly JaegerSpan[]): number {
  let own = duration;
  let coveredUntil = startTime;
  for (const child of children.toSorted((a, b) => a.startTime - b.startTime)) {
    const start = Math.max(child.startTime, coveredUntil);
    const end = Math.min(child.startTime + child.duration, startTime + duration);
    if (end <= start) continue;
    own -= end - start;
    coveredUntil = end;
  }
  return own;
}

function isFailed({ tags }: JaegerSpan): boolean {
  return tags?.some(({ key, value }) => key === 'error' && value === true) === true;
}
