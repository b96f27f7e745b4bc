// What the process does right now, for whoever looks for the cause of something: its threads, and profiles of the two that do most
// (docs/operations/diagnostics.md). Profiles are POST, because they cost something while they run.
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { DiagnosedThread, RunningProfile } from '../../base/diagnosed-thread.ts';
import { StoreError } from '../../base/errors.ts';
import { listThreads } from '../../disk/thread-list.ts';

/** A proxy gives up after a minute. */
const SECONDS_MAX = 50;

/** `threads`: those that can be profiled, by name. */
export function registerDebugRoutes(app: FastifyInstance, threads: Readonly<Record<string, DiagnosedThread>>): void {
  let isProfiling = false;

  app.get('/debug/threads', async (_request, reply) => {
    const heaps = Object.entries(threads).map(async ([name, thread]) => [name, await thread.heapStatistics()] as const);
    const shown = {
      uptimeSeconds: Math.round(process.uptime()),
      memory: process.memoryUsage(),
      heaps: Object.fromEntries(await Promise.all(heaps)),
      waitsFor: countOf(process.getActiveResourcesInfo()),
      threads: listThreads(),
    };
    return reply.type('application/json').send(`${JSON.stringify(shown, undefined, 2)}\n`);
  });

  const profile = (what: 'cpu' | 'heap', start: (thread: DiagnosedThread) => Promise<RunningProfile>): void => {
    app.post(`/debug/${what}`, async (request, reply) => {
      const [name, thread] = readThread(request, threads);
      const seconds = readSeconds(request);
      if (isProfiling) throw new StoreError('OVERLOADED', 'another profile is being taken; try again when it is done');
      isProfiling = true;
      try {
        const text = await takeProfile(await start(thread), seconds, reply);
        const file = `tracelith-${name}-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}.${what}profile`;
        return await reply
          .type('application/json')
          .header('content-disposition', `attachment; filename="${file}"`)
          .send(text);
      } finally {
        isProfiling = false;
      }
    });
  };
  profile('cpu', (thread) => thread.startCpuProfile());
  profile('heap', (thread) => thread.startHeapProfile());
}

/** Ends early when the client leaves. */
async function takeProfile(running: RunningProfile, seconds: number, reply: FastifyReply): Promise<string> {
  const left = new AbortController();
  reply.raw.once('close', () => left.abort());
  await delay(seconds * 1000, undefined, { signal: left.signal }).catch(() => undefined);
  return await running.stop();
}

function readThread(
  request: FastifyRequest,
  threads: Readonly<Record<string, DiagnosedThread>>,
): [string, DiagnosedThread] {
  const { thread: name = 'main' } = request.query as Readonly<Record<string, unknown>>;
  if (typeof name === 'string' && Object.hasOwn(threads, name)) return [name, threads[name]!];
  const got = JSON.stringify(String(name).slice(0, 40));
  throw new StoreError('INVALID_REQUEST', `thread: expected ${Object.keys(threads).join(' or ')}, got ${got}`);
}

function readSeconds(request: FastifyRequest): number {
  const { seconds: given = '' } = request.query as Readonly<Record<string, unknown>>;
  const seconds = typeof given === 'string' && /^\d{1,3}(\.\d{1,3})?$/.test(given) ? Number(given) : NaN;
  if (seconds > 0 && seconds <= SECONDS_MAX) return seconds;
  const got = JSON.stringify(String(given).slice(0, 40));
  throw new StoreError('INVALID_REQUEST', `seconds: expected a number up to ${SECONDS_MAX}, got ${got}`);
}

function countOf(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
