// `tracelith move`: takes days from a node that takes no spans any more to the node on this machine. A day is detached from
// the source only when the target has every span of it, so an interrupted move loses and hides nothing (decisions/0035).
import { basename, join, resolve } from 'node:path';
import { isStoreError, StoreError } from '../base/errors.ts';
import { replaceFile, readWholeFile } from '../disk/atomic-write.ts';
import { nodeDisk } from '../disk/node-disk.ts';
import { kindOf } from '../disk/walk-files.ts';
import { copySnapshot } from './copy-snapshot.ts';
import { moveArchive } from './move-archive.ts';
import type { NodeClient } from './node-client.ts';
import { formatBytes, Progress } from './progress.ts';
import { askPlaces, listDays, syncDay, type SyncSums } from './sync.ts';
import { EXIT_OK, type Terminal } from './terminal.ts';
import { DEFAULT_URL, LOGIN_HELP, LOGIN_OPTIONS, nodesOf, readDayPrefix, readOptions } from './tool-options.ts';
import { verifyPartition } from './verify-partition.ts';

export const MOVE_HELP = `Takes days from a node to the node on this machine: a snapshot of the day is copied over HTTP, every checksum in it is verified,
the day is attached here, compared span by span, and only then detached there. A day that this node has already gets the
spans that it lacks. First the archived traces are copied, all of them whatever --day says. Safe to interrupt and to repeat. The source must
run with -storage.readOnly.
  --from URL            the node that is emptied
  --data DIR            -storageDataPath of the node on this machine; run this as its user
  --to URL              the node on this machine, default ${DEFAULT_URL}
  --day YYYYMMDD        only this day, or the days that begin so (202611)
${LOGIN_HELP}Exit code: 0 all these days are here and detached there, 1 they are not, 2 wrong usage.
`;

interface Move {
  readonly from: NodeClient;
  readonly to: NodeClient;
  readonly dataPath: string;
  readonly terminal: Terminal;
}

/** Runs the tool; returns the exit code. Throws CONFIG, UNAVAILABLE, INVALID_REQUEST, CORRUPTION, DISK. */
export async function move(args: readonly string[], terminal: Terminal): Promise<number> {
  const text = { type: 'string' } as const;
  const given = readOptions(args, { from: text, to: text, data: text, day: text, ...LOGIN_OPTIONS });
  const nodes = nodesOf(given);
  const { data } = given;
  if (typeof data !== 'string') throw new StoreError('CONFIG', '--data is missing');
  const dataPath = resolve(data);
  if (kindOf(join(dataPath, 'partitions')) !== 'folder')
    throw new StoreError('CONFIG', `--data ${data}: not the data directory of a node (no partitions/ in it)`);
  const prefix = readDayPrefix(given['day']);
  const source = nodes.from;
  const job = { ...nodes, dataPath, terminal };
  await assertReadOnly(source);
  await moveArchive({ ...job, disk: nodeDisk });
  const days = (await listDays(source)).filter((day) => day.startsWith(prefix));
  for (const day of days) await moveDay(job, day);
  terminal.out(
    `move: ${days.length} days moved; their files are still on ${source.url}, detached until it starts again\n`,
  );
  return EXIT_OK;
}

/** Spans that come while a day is moved would stay behind. Throws INVALID_REQUEST. */
async function assertReadOnly(node: NodeClient): Promise<void> {
  const answer = await node.call('/insert/ready', { method: 'GET', expected: [200, 503] });
  if ((await answer.text()).includes('-storage.readOnly')) return;
  throw new StoreError('INVALID_REQUEST', `${node.url} takes spans: start it with -storage.readOnly, then move`);
}

async function moveDay(job: Move, day: string): Promise<void> {
  const { from, to, terminal } = job;
  const nodes = { from, to, isBoth: false };
  const places = await askPlaces(nodes);
  if (!(await listDays(to)).includes(day)) await bringFiles(job, day);
  const sums: SyncSums = { spans: 0, copied: 0, bytes: 0, left: 0, extra: 0, warnings: 0 };
  await syncDay(nodes, day, { terminal, sums, places });
  if (sums.left > 0 || sums.warnings > 0) {
    const what = sums.left > 0 ? `${sums.left} traces are not whole on ${to.url}` : 'there were warnings, see above';
    throw new StoreError('UNAVAILABLE', `${day}: not detached from ${from.url}: ${what}`);
  }
  await from.call(`/internal/partition/detach?name=${day}`);
  terminal.out(`${day}: moved\n`);
}

/** Copies the day beside the partitions, verifies it, and puts it in place. */
async function bringFiles(job: Move, day: string): Promise<void> {
  const { to, dataPath, terminal } = job;
  const place = join(dataPath, 'partitions', day);
  // Otherwise an earlier run was interrupted before it was attached, or an operator has detached it.
  if (kindOf(place) === undefined) {
    const stage = join(dataPath, 'restore', day);
    nodeDisk.makeDir(stage);
    const copied = await copyDay(job, day, stage);
    verifyCopy(stage, terminal);
    if (kindOf(place) === undefined) {
      nodeDisk.rename(stage, place);
      nodeDisk.syncDir(join(dataPath, 'partitions'));
      terminal.out(`${day}: ${copied} copied and verified\n`);
    } else {
      // A span of that day has come just now.
      nodeDisk.remove(stage);
    }
  }
  try {
    await to.call(`/internal/partition/attach?name=${day}`);
  } catch (error) {
    // The node opens a folder by itself when a span of that day comes.
    if (!isStoreError(error, 'INVALID_REQUEST') || !(await listDays(to)).includes(day)) throw error;
  }
}

/** Copies a new snapshot of the day to `stage`. Returns what it was, for people. */
async function copyDay({ from, dataPath, terminal }: Move, day: string, stage: string): Promise<string> {
  const notePath = join(dataPath, 'restore', `${day}.snapshot`);
  await deleteSnapshotOf(from, notePath);
  const [path] = await from.callJson<string[]>(`/internal/partition/snapshot/create?name=${day}`);
  if (path === undefined) throw new StoreError('INVALID_REQUEST', `${from.url} has no day ${day}; is it detached?`);
  const name = basename(path);
  replaceFile(nodeDisk, notePath, Buffer.from(name));
  let progress: Progress | undefined;
  const files = await copySnapshot({ disk: nodeDisk, from, name, target: stage }, (sizeBytes, file, totalBytes) => {
    progress ??= new Progress(terminal, `move ${day}`, totalBytes);
    progress.add(sizeBytes, file);
  });
  progress?.clear();
  await deleteSnapshotOf(from, notePath);
  return `${files.length} files, ${formatBytes(files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0))}`;
}

/** Deletes the snapshot that `notePath` names, if it is still there, and the note. */
async function deleteSnapshotOf(from: NodeClient, notePath: string): Promise<void> {
  if (kindOf(notePath) !== 'file') return;
  const name = Buffer.from(readWholeFile(nodeDisk, notePath, 1_000)).toString();
  await from.call(`/internal/partition/snapshot/delete?path=${encodeURIComponent(name)}`, { expected: [200, 404] });
  nodeDisk.remove(notePath);
}

/** Throws CORRUPTION, and removes the copy. */
function verifyCopy(stage: string, terminal: Terminal): void {
  let faults = 0;
  const damaged = (message: string): void => {
    faults++;
    terminal.err(`damaged: ${message}\n`);
  };
  const note = (message: string): void => terminal.err(`note: ${message}\n`);
  verifyPartition(nodeDisk, stage, { damaged, checked: () => undefined }, note);
  if (faults === 0) return;
  nodeDisk.remove(stage);
  throw new StoreError(
    'CORRUPTION',
    `${stage}: the copy is damaged and was removed; verify the source, then run it again`,
  );
}
