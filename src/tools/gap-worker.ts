// The thread in which a storage node of a log copies what it lacks: comparing days must not keep the node from answering. Ended by
// terminate() at any time; what is copied then stays, and the next one finds less to do.
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../base/assert.ts';
import { isStoreError } from '../base/errors.ts';
import type { GapRange } from '../ingest-log/place-in-log.ts';
import { NodeClient, type NodeClientOptions } from './node-client.ts';
import { syncDays, type Synced } from './sync.ts';
import type { Terminal } from './terminal.ts';

export interface GapJob {
  /** The nodes that may have it, asked one after the other until nothing is lacking. */
  readonly sources: readonly NodeClientOptions[];
  /** This node. */
  readonly own: NodeClientOptions;
  /** What it lacked when the work began: what comes to a gap later may not have been compared. */
  readonly gaps: readonly GapRange[];
  /** For files, of this thread alone. */
  readonly workFolder: string;
}

export type GapReport =
  | { readonly kind: 'told'; readonly text: string }
  /** Why something is still lacking; undefined: nothing is. */
  | { readonly kind: 'done'; readonly problem: string | undefined };

assert(parentPort !== null, 'gaps are filled in a thread');
const port = parentPort;
const report = (message: GapReport): void => port.postMessage(message);
report({ kind: 'done', problem: await fill(workerData as GapJob) });

async function fill(job: GapJob): Promise<string | undefined> {
  const own = new NodeClient(job.own);
  const problems: string[] = [];
  const lines: string[] = [];
  const tell = (line: string): void => {
    const text = line.trim();
    lines.push(text);
    report({ kind: 'told', text });
  };
  const terminal: Terminal = { out: tell, err: tell, isInteractive: false };
  const range = { prefix: '', gaps: job.gaps, workFolder: job.workFolder };
  const lacking = new Set(job.gaps.map(({ partition }) => partition));
  try {
    for (const options of job.sources) {
      const from = new NodeClient(options);
      const nodes = { from, to: own, isBoth: false };
      const copy = syncDays(nodes, range, terminal);
      const { filled } = await copy.catch((error: unknown) => failed(error, problems));
      for (const partition of filled) lacking.delete(partition);
      if (lacking.size === 0) return undefined;
    }
    // The last lines say what came of it.
    return [...problems, ...lines.slice(-2)].join('; ');
  } catch (error) {
    if (!isStoreError(error)) throw error;
    return error.message;
  }
}

/** Another source may have it. */
function failed(error: unknown, problems: string[]): Pick<Synced, 'filled'> {
  if (!isStoreError(error)) throw error;
  problems.push(error.message);
  return { filled: [] };
}
