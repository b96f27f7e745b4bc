// Judges what `tracelith doctor` found out about a machine and its flags. Pure: facts in, findings out.
import type { DiskSpeed, FolderFacts } from '../disk/probe-folder.ts';
import { formatBytes } from './progress.ts';

export interface Finding {
  /** fail: a node will not start or not work. warn: it works worse than it could. */
  readonly level: 'ok' | 'note' | 'warn' | 'fail';
  readonly about: string;
  readonly found: string;
  /** What to change. */
  readonly remedy?: string;
}

export interface MachineFacts {
  readonly nowMs: number;
  readonly folder: FolderFacts;
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** Why the directory is in use; undefined: it is not. */
  readonly lockedBy: string | undefined;
  /** Names of the days on disk, YYYYMMDD. */
  readonly days: readonly string[];
  readonly speed: DiskSpeed | undefined;
  readonly cores: number;
  readonly availableBytes: number;
  readonly allowedBytes: number;
  readonly descriptors: number;
  readonly descriptorsNeeded: number;
  /** Why each address of a listener cannot be listened on; undefined: it can. */
  readonly addresses: Readonly<Record<string, string | undefined>>;
}

export interface JudgedFlags {
  readonly storageDataPath: string;
  readonly freeDiskBytesMin: number;
  readonly diskBytesMax: number;
  readonly diskPercentMax: number;
  readonly futureRetentionMs: number;
}

/** File systems without POSIX locks or a durable fsync, or without durability at all. */
const BAD_FILE_SYSTEMS: Readonly<Record<string, string>> = {
  tmpfs: 'it is in memory: a restart of the machine loses everything',
  ramfs: 'it is in memory: a restart of the machine loses everything',
  nfs: 'locks and fsync over a network are not what a store needs',
  nfs4: 'locks and fsync over a network are not what a store needs',
  cifs: 'locks and fsync over a network are not what a store needs',
  smb3: 'locks and fsync over a network are not what a store needs',
  '9p': 'it passes no fsync on',
  fuse: 'its fsync is only as good as the program behind it',
};

const MEMORY_USEFUL_BYTES: number = 512 << 20;
const SYNC_GOOD_MS = 20;
const SYNC_BAD_MS = 200;
const WRITE_GOOD_BYTES: number = 30 << 20;
/** The first release; an earlier clock is certainly wrong. */
const EARLIEST_MS: number = Date.UTC(2026, 0, 1);

export function judgeMachine(facts: MachineFacts, flags: JudgedFlags): Finding[] {
  return [
    judgeFolder(facts, flags),
    judgeLock(facts),
    judgeSpace(facts, flags),
    judgeSpeed(facts),
    judgeClock(facts, flags),
    judgeMemory(facts),
    judgeDescriptors(facts),
    ...Object.entries(facts.addresses).map(([flag, problem]) => judgeAddress(flag, problem)),
  ];
}

function judgeFolder({ folder }: MachineFacts, { storageDataPath }: JudgedFlags): Finding {
  const about = 'directory';
  const { path, isThere, isDirectory, mode, isOwn, fileSystem = 'a file system of unknown kind' } = folder;
  const found = isThere
    ? `${path} on ${fileSystem}`
    : `${storageDataPath} is not there yet; it will be in ${path} on ${fileSystem}`;
  if (!isDirectory)
    return { level: 'fail', about, found: `${path} is a file`, remedy: 'choose another -storageDataPath' };
  const why = BAD_FILE_SYSTEMS[fileSystem] ?? (fileSystem.startsWith('fuse') ? BAD_FILE_SYSTEMS['fuse'] : undefined);
  if (why !== undefined)
    return { level: 'warn', about, found: `${found}: ${why}`, remedy: 'use a local disk: ext4 or xfs' };
  if (fileSystem === 'overlay') {
    const remedy = 'mount a volume: what lies in a container is gone with it';
    return { level: 'warn', about, found: `${found}: the writable layer of a container`, remedy };
  }
  if (isThere && !isOwn) {
    return {
      level: 'warn',
      about,
      found: `${found}, owned by another user`,
      remedy: 'run the node as its owner, or chown it',
    };
  }
  if (isThere && (mode & 0o077) !== 0) {
    const others = `${found}, mode ${mode.toString(8)}: other users can read what is stored`;
    return { level: 'warn', about, found: others, remedy: `chmod 700 ${path}` };
  }
  return { level: 'ok', about, found };
}

function judgeLock({ lockedBy, days }: MachineFacts): Finding {
  const stored = days.length === 0 ? 'nothing stored yet' : `${days.length} days stored, ${days[0]} to ${days.at(-1)}`;
  return lockedBy === undefined
    ? { level: 'ok', about: 'store', found: stored }
    : {
        level: 'note',
        about: 'store',
        found: `${stored}; ${lockedBy}`,
        remedy: 'nothing, if that is the node you mean',
      };
}

function judgeSpace({ freeBytes, totalBytes }: MachineFacts, flags: JudgedFlags): Finding {
  const about = 'space';
  const found = `${formatBytes(freeBytes)} free of ${formatBytes(totalBytes)}`;
  if (freeBytes < flags.freeDiskBytesMin) {
    const remedy = 'free space, or lower -storage.minFreeDiskSpaceBytes: a node here would be read-only';
    return { level: 'fail', about, found, remedy };
  }
  if (freeBytes < totalBytes / 10)
    return { level: 'warn', about, found, remedy: 'merges need room for their output: free some space' };
  if (flags.diskBytesMax === 0 && flags.diskPercentMax === 0) {
    const remedy = 'set -retention.maxDiskSpaceUsageBytes to some 80 % of the disk';
    return { level: 'note', about, found: `${found}; only age ends what is stored`, remedy };
  }
  if (flags.diskBytesMax > totalBytes * 0.9) {
    const limit = `${found}; the limit of ${formatBytes(flags.diskBytesMax)} is larger than nine tenths of the disk`;
    return {
      level: 'warn',
      about,
      found: limit,
      remedy: 'lower -retention.maxDiskSpaceUsageBytes: it would never be reached',
    };
  }
  return { level: 'ok', about, found };
}

function judgeSpeed({ speed }: MachineFacts): Finding {
  const about = 'disk';
  if (speed === undefined) {
    return { level: 'fail', about, found: 'not writable for this user', remedy: 'let this user write there' };
  }
  const { syncP50Ms, syncMaxMs, writeBytesPerSecond } = speed;
  const found = `fdatasync ${syncP50Ms.toFixed(1)} ms (longest ${syncMaxMs.toFixed(0)}), ${formatBytes(writeBytesPerSecond)}/s written`;
  if (syncP50Ms > SYNC_BAD_MS || writeBytesPerSecond < WRITE_GOOD_BYTES / 10) {
    const remedy = 'use a faster disk: every acknowledgement waits for one fdatasync';
    return { level: 'warn', about, found: `${found}: very slow`, remedy };
  }
  if (syncP50Ms > SYNC_GOOD_MS || writeBytesPerSecond < WRITE_GOOD_BYTES) {
    return {
      level: 'note',
      about,
      found: `${found}: slow`,
      remedy: 'fine for some thousand spans a second; an SSD does more',
    };
  }
  return { level: 'ok', about, found };
}

function judgeClock({ nowMs, days }: MachineFacts, { futureRetentionMs }: JudgedFlags): Finding {
  const about = 'clock';
  const found = new Date(nowMs).toISOString();
  const newest = days.at(-1);
  const newestMs =
    newest === undefined
      ? -Infinity
      : Date.parse(`${newest.slice(0, 4)}-${newest.slice(4, 6)}-${newest.slice(6)}T00:00:00Z`);
  const remedy = 'set the clock right (timedatectl, NTP) before the node starts';
  if (nowMs < EARLIEST_MS) return { level: 'fail', about, found: `${found}: years behind`, remedy };
  if (newestMs > nowMs + futureRetentionMs) {
    return { level: 'warn', about, found: `${found}, but there are spans of ${newest}: it may be behind`, remedy };
  }
  return { level: 'ok', about, found };
}

function judgeMemory({ cores, availableBytes, allowedBytes }: MachineFacts): Finding {
  const about = 'memory';
  const found = `${formatBytes(allowedBytes)} allowed of ${formatBytes(availableBytes)}, ${cores} cores`;
  if (allowedBytes > availableBytes) {
    return { level: 'fail', about, found, remedy: 'lower -memory.allowedBytes: the kernel would end the process' };
  }
  if (allowedBytes < MEMORY_USEFUL_BYTES) {
    return {
      level: 'warn',
      about,
      found,
      remedy: 'allow 512 MiB at least: with less, requests and merges are cut small',
    };
  }
  return { level: 'ok', about, found };
}

function judgeDescriptors({ descriptors, descriptorsNeeded }: MachineFacts): Finding {
  const about = 'open files';
  const found = `${descriptors} allowed, ${descriptorsNeeded} needed for the store and all connections`;
  if (descriptors >= descriptorsNeeded) return { level: 'ok', about, found };
  const remedy = 'raise the hard limit (ulimit -Hn, LimitNOFILE= of systemd): with less, there are fewer connections';
  return { level: 'warn', about, found, remedy };
}

function judgeAddress(flag: string, problem: string | undefined): Finding {
  const about = 'address';
  if (problem === undefined) return { level: 'ok', about, found: `-${flag} is free` };
  return {
    level: 'note',
    about,
    found: `-${flag}: ${problem}`,
    remedy: 'nothing, if a node runs here; else choose another address',
  };
}
