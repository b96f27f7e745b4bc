// The `long` profile: batch jobs of 10,000 to 100,000 spans in one trace: stages, tasks in each, a few steps in each task.
// Regular inside, so it compresses well; its point is one trace that no block and no naive reader holds.
import type { Attribute, GeneratedResource, GeneratedScope, GeneratedSpan, Profile } from './model.ts';
import { exportIntervalNs, KIND_CLIENT, KIND_CONSUMER, KIND_INTERNAL } from './model.ts';
import type { Rng } from './rng.ts';
import { TraceBuilder } from './trace-builder.ts';

export const longTraceSpans = { min: 10_000, max: 100_000 };

const jobs = ['nightly-invoices', 'reindex-catalog', 'export-ledger', 'recompute-recommendations'];
const steps = ['SELECT warehouse.rows', 'transform', 'HSET', 'INSERT warehouse.results'];
const scope: GeneratedScope = { name: 'batch-runner', version: '4.2.0' };

export function longProfile(rng: Rng, instances: number): Profile {
  const resources = batchResources(rng, 4 * instances);
  return {
    resources,
    trace(startNs: number, spansLeft: number): GeneratedSpan[] {
      const max = Math.min(longTraceSpans.max, Math.max(longTraceSpans.min, spansLeft));
      return batchJob(rng, { resources, startNs, size: rng.logUniform(longTraceSpans.min, max) });
    },
  };
}

function batchResources(rng: Rng, count: number): GeneratedResource[] {
  const out: GeneratedResource[] = [];
  for (let i = 0; i < count; i++) {
    const name = i === 0 ? 'batch-scheduler' : 'batch-worker';
    out.push({
      attributes: [
        ['service.name', name],
        ['service.instance.id', rng.uuid()],
        ['host.name', `batch-${i}`],
        ['process.pid', 1 + rng.int(30000)],
        ['telemetry.sdk.language', 'python'],
      ],
      exportPhaseNs: rng.int(exportIntervalNs),
      clockSkewNs: 0,
    });
  }
  return out;
}

interface BatchJob {
  readonly resources: readonly GeneratedResource[];
  readonly startNs: number;
  readonly size: number;
}

// A task (one span) takes its steps one after the other; a worker takes tasks one after the other; workers run side by side.
function batchJob(rng: Rng, { resources, startNs, size }: BatchJob): GeneratedSpan[] {
  const builder = new TraceBuilder(rng, resources, startNs);
  const stepUs = rng.logNormal(6, 0.5);
  const jobUs = (size / resources.length) * stepUs * 1.3;
  const job = rng.pick(jobs);
  const root = builder.add({
    resource: 0,
    scope,
    name: job,
    kind: KIND_INTERNAL,
    offsetUs: 0,
    durationUs: jobUs,
    attributes: [['batch.job.id', rng.uuid()]],
  });
  const stages = 5 + rng.int(20);
  for (let stage = 0; builder.spans.length < size; stage = (stage + 1) % stages) {
    const done = builder.spans.length / size;
    const parent = builder.add({
      resource: 0,
      scope,
      parent: root,
      name: `stage ${stage}`,
      kind: KIND_INTERNAL,
      offsetUs: jobUs * done,
      durationUs: jobUs * 0.02,
      attributes: [['batch.stage', stage]],
    });
    const tasks = Math.min(200, Math.ceil((size - builder.spans.length) / (steps.length + 1)));
    for (let task = 0; task < tasks; task++)
      batchTask(builder, rng, { parent, task, stepUs, workers: resources.length - 1 });
  }
  return builder.spans;
}

interface BatchTask {
  readonly parent: GeneratedSpan;
  readonly task: number;
  readonly stepUs: number;
  readonly workers: number;
}

function batchTask(builder: TraceBuilder, rng: Rng, { parent, task, stepUs, workers }: BatchTask): void {
  const resource = workers === 0 ? 0 : 1 + (task % workers);
  const turn = workers === 0 ? task : Math.floor(task / workers);
  const error = rng.chance(0.001) ? 'deadlock detected; the transaction was rolled back' : '';
  const span = builder.add({
    resource,
    scope,
    parent,
    name: 'task',
    kind: KIND_CONSUMER,
    offsetUs: turn * stepUs * 5,
    durationUs: stepUs * 4.8,
    attributes: taskAttributes(rng, task),
    error,
  });
  steps.forEach((name, i) => {
    builder.add({
      resource,
      scope,
      parent: span,
      name,
      kind: i === 1 ? KIND_INTERNAL : KIND_CLIENT,
      offsetUs: i * stepUs * 1.1,
      durationUs: stepUs * rng.logNormal(0, 0.2),
      attributes:
        i === 1
          ? [['batch.rows', 100 + rng.int(900)]]
          : [
              ['db.system', i === 2 ? 'redis' : 'postgresql'],
              ['db.rows', rng.int(1000)],
            ],
    });
  });
}

function taskAttributes(rng: Rng, task: number): Attribute[] {
  return [
    ['batch.task.index', task],
    ['batch.task.key', rng.hex(16)],
    ['messaging.system', 'kafka'],
    ['messaging.kafka.destination.partition', task % 24],
  ];
}
