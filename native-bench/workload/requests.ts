// The workload generator's front: traffic of a profile as the OTLP requests a server would receive, in the order it would
// receive them. Deterministic: the same options give the same bytes.
import { chaoticProfile } from './chaotic.ts';
import { RequestEncoder } from './encode.ts';
import type { Frame } from './frames.ts';
import { lateProfile } from './late.ts';
import { llmProfile } from './llm.ts';
import { longProfile } from './long.ts';
import { oddProfile } from './odd.ts';
import type { GeneratedSpan, Profile } from './model.ts';
import { Rng } from './rng.ts';
import { SendQueue } from './send-queue.ts';
import { shopProfile } from './shop.ts';

export const profiles = {
  shop: shopProfile,
  chaotic: chaoticProfile,
  long: longProfile,
  late: lateProfile,
  llm: llmProfile,
  odd: oddProfile,
} as const satisfies Record<string, (rng: Rng, instances: number) => Profile>;

export type ProfileName = keyof typeof profiles;

export function isProfileName(name: string): name is ProfileName {
  return Object.hasOwn(profiles, name);
}

export interface WorkloadOptions {
  readonly profile: ProfileName;
  /** How many spans at least; the last trace is whole, so there may be a few more. */
  readonly spans: number;
  /** Spans in a request (the last one has the rest). */
  readonly batch: number;
  readonly seed: number;
  /** Start of the first trace, nanoseconds since 1970. */
  readonly startNs: bigint;
  /** The traces' starts spread over this long, arriving independently. */
  readonly seconds: number;
  /** Processes per service. */
  readonly instances: number;
}

export const defaultWorkload: Omit<WorkloadOptions, 'startNs'> = {
  profile: 'shop',
  spans: 200_000,
  batch: 1000,
  seed: 1,
  seconds: 600,
  instances: 3,
};

/** Yields the requests in the order a server would receive them. `spans` counts duplicates too. */
export function* requests(options: WorkloadOptions): Generator<Frame> {
  const rng = new Rng(options.seed);
  const profile = profiles[options.profile](rng, options.instances);
  const encoder = new RequestEncoder(profile.resources, options.startNs);
  let pending: GeneratedSpan[] = [];
  for (const span of inSendOrder(profile, rng, options)) {
    pending.push(span);
    if (pending.length < options.batch) continue;
    yield { body: encoder.encode(pending), spans: pending.length };
    pending = [];
  }
  if (pending.length > 0) yield { body: encoder.encode(pending), spans: pending.length };
}

/** The spans before they are encoded, in the order they are sent: for tests and summaries. */
export function* generatedSpans(options: WorkloadOptions): Generator<GeneratedSpan> {
  const rng = new Rng(options.seed);
  yield* inSendOrder(profiles[options.profile](rng, options.instances), rng, options);
}

// A span may leave once its send time lies before the next trace's start: no later trace can overtake it.
function* inSendOrder(profile: Profile, rng: Rng, options: WorkloadOptions): Generator<GeneratedSpan> {
  const queue = new SendQueue();
  const nsPerSpan = (options.seconds * 1e9) / options.spans;
  let startNs = 0;
  for (let made = 0; made < options.spans;) {
    while (queue.nextNs < startNs) yield queue.take();
    const spans = profile.trace(startNs, options.spans - made);
    for (const span of spans) queue.add(span);
    made += spans.length;
    startNs = Math.floor(startNs + rng.exponential(nsPerSpan * spans.length));
  }
  while (queue.size > 0) yield queue.take();
}
