// Full load on a cluster of which one storage node is stopped (SIGSTOP) for a while: how much memory insert and select come to, and
// that every request is answered meanwhile.
import { requests } from '../../native-bench/workload/requests.ts';
import { setTimeout as delay } from 'node:timers/promises';
import { RoleProcess, waitFor } from './role-process.ts';

const SENDERS = 8;
const READERS = 4;
/** Longer than any answer may take. */
const PATIENCE_MS = 60_000;
const LOOK_MS = 250;
const SECONDS = 600;

export interface StoppedNode {
  /** Answers by "insert 200", "select 503" and so on. */
  readonly answers: ReadonlyMap<string, number>;
  /** The most resident memory while the node was stopped, bytes. */
  readonly insertBytes: number;
  readonly selectBytes: number;
}

/** Throws when a request gets no answer, and when the cluster is not whole again afterwards. */
export async function loadWhileStopped(stopMs: number): Promise<StoppedNode> {
  await using first = await RoleProcess.storing('m1');
  await using second = await RoleProcess.storing('m2');
  await Promise.all([first.start(), second.start()]);
  const nodes = `${first.address},${second.address}`;
  await using insert = await RoleProcess.inFront('insert', nodes);
  await using select = await RoleProcess.inFront('select', nodes);
  await Promise.all([insert.start(), select.start()]);
  const answers = new Map<string, number>();
  const ask = async (name: string, url: string, init: RequestInit = {}): Promise<void> => {
    const reply = await fetch(url, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) });
    await reply.arrayBuffer();
    const key = `${name} ${reply.status}`;
    answers.set(key, (answers.get(key) ?? 0) + 1);
  };
  const bodies = bodiesOf();
  const headers = { 'content-type': 'application/x-protobuf' };
  let isOver = false;
  const repeat = async (action: (n: number) => Promise<void>): Promise<void> => {
    for (let n = 0; !isOver; n++) await action(n);
  };
  const search = `${select.url}/api/traces?service=frontend&limit=50`;
  const load = [
    ...Array.from({ length: SENDERS }, (_, at) =>
      repeat((n) => {
        const body = bodies[(n * SENDERS + at) % bodies.length]!;
        return ask('insert', `${insert.url}/v1/traces`, { method: 'POST', headers, body });
      }),
    ),
    ...Array.from({ length: READERS }, () =>
      repeat((n) => ask('select', n % 2 === 0 ? search : `${search}&${PARTIAL}`)),
    ),
  ];
  // A sender that fails ends the measurement below, not the process before it.
  const ended = Promise.all(load);
  ended.catch(() => (isOver = true));
  await waitFor('load', () => (answers.get('insert 200') ?? 0) > 2 * SENDERS);
  await first.signal('SIGSTOP');
  const most = { insertBytes: 0, selectBytes: 0 };
  for (let stoppedMs = 0; stoppedMs < stopMs && !isOver; stoppedMs += LOOK_MS) {
    await delay(LOOK_MS);
    most.insertBytes = Math.max(most.insertBytes, insert.residentBytes);
    most.selectBytes = Math.max(most.selectBytes, select.residentBytes);
  }
  await first.signal('SIGCONT');
  isOver = true;
  await ended;
  await waitFor('whole answers again', async () => (await fetch(search)).status === 200);
  return { answers, ...most };
}

const PARTIAL = 'allow_partial_response=1';

function bodiesOf(): Uint8Array<ArrayBuffer>[] {
  const startNs = (BigInt(Date.now()) - BigInt(SECONDS) * 1_000n) * 1_000_000n;
  const made = requests({
    profile: 'shop',
    spans: 40_000,
    batch: 500,
    seed: 1,
    startNs,
    seconds: SECONDS,
    instances: 2,
  });
  return [...made].map(({ body }) => body);
}
