// `tracelith doctor [flags]`: looks at the machine as a node with these flags would find it, and says what to change. Changes
// nothing; writes one trial file of 33 MB into the data directory and removes it.
import { createServer } from 'node:net';
import { availableParallelism, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { CONNECTIONS_USEFUL, descriptorLimit, storageDescriptors } from '../base/descriptors.ts';
import { isStoreError } from '../base/errors.ts';
import { formatAddress, type ListenAddress } from '../base/flag-value.ts';
import { allowedMemory, availableMemory } from '../base/memory.ts';
import { LOCK_FILE, takeLock } from '../disk/lock.ts';
import { nodeDisk } from '../disk/node-disk.ts';
import { measureDisk, probeFolder, type DiskSpeed } from '../disk/probe-folder.ts';
import { parseDay } from '../partition/day.ts';
import { judgeMachine, type Finding, type JudgedFlags, type MachineFacts } from './judge-machine.ts';
import { EXIT_FAILED, EXIT_OK, type Terminal } from './terminal.ts';

export interface DoctorConfig extends JudgedFlags {
  readonly memoryPercent: number;
  readonly memoryBytes: number;
  readonly queryWorkers: number;
  readonly mergeWorkers: number;
  readonly httpListenAddr: ListenAddress;
  readonly otlpHttpListenAddr: ListenAddress | undefined;
  readonly otlpGrpcListenAddr: ListenAddress | undefined;
  readonly grpcListenAddr: ListenAddress | undefined;
  readonly adminListenAddr: ListenAddress | undefined;
  readonly shownFlags: readonly { readonly name: string; readonly value: string; readonly isSet: boolean }[];
}

/** The program as a tool sees it; main.ts knows the flags. */
export interface Program {
  readonly version: string;
  /** Throws CONFIG. */
  readonly parseConfig: (args: readonly string[]) => DoctorConfig;
}

export const DOCTOR_HELP =
  'Looks at this machine as a node with these flags would find it: directory, space, speed of the disk, clock, memory, open\n' +
  'files, addresses, versions. Says what to change. Writes a trial file of 33 MB and removes it; safe beside a running node.\n' +
  'Exit code: 0 a node would work, 1 it would not, 2 wrong flags.\n';

export async function doctor(args: readonly string[], terminal: Terminal, program: Program): Promise<number> {
  const config = program.parseConfig(args);
  terminal.out(
    `tracelith ${program.version}, Node ${process.version}, ${process.platform} ${release()} ${process.arch}\n`,
  );
  for (const { name, value } of config.shownFlags.filter(({ isSet }) => isSet)) {
    terminal.out(`flag  -${name}=${JSON.stringify(value)}\n`);
  }
  const findings = judgeMachine(await gatherFacts(config), config);
  for (const finding of findings) terminal.out(lineOf(finding));
  const count = (level: Finding['level']): number => findings.filter((finding) => finding.level === level).length;
  const [fails, warns] = [count('fail'), count('warn')];
  const verdict =
    fails > 0 ? 'a node would not work here' : warns > 0 ? 'a node would work, and could work better' : 'all is well';
  terminal.out(`${verdict}: ${fails} to repair, ${warns} to improve\n`);
  return fails > 0 ? EXIT_FAILED : EXIT_OK;
}

function lineOf({ level, about, found, remedy }: Finding): string {
  const line = `${level.padEnd(5)} ${`${about}:`.padEnd(12)} ${found}\n`;
  return remedy === undefined ? line : `${line}${' '.repeat(19)}→ ${remedy}\n`;
}

async function gatherFacts(config: DoctorConfig): Promise<MachineFacts> {
  const folder = probeFolder(config.storageDataPath);
  const system = { totalBytes: totalmem(), constrainedBytes: process.constrainedMemory() };
  const { http, otlpHttp, otlpGrpc, grpc } = CONNECTIONS_USEFUL;
  const partitions = join(config.storageDataPath, 'partitions');
  const isStore = folder.isThere && nodeDisk.stat(partitions)?.isDirectory === true;
  return {
    nowMs: Date.now(),
    folder,
    freeBytes: nodeDisk.freeBytes(folder.path),
    totalBytes: nodeDisk.totalBytes(folder.path),
    lockedBy: folder.isThere && folder.isDirectory ? holderOf(folder.path) : undefined,
    days: isStore ? nodeDisk.list(partitions).filter((name) => parseDay(name) !== undefined) : [],
    speed: folder.isDirectory ? speedOf(folder.path) : undefined,
    cores: availableParallelism(),
    availableBytes: availableMemory(system),
    allowedBytes: allowedMemory({ percent: config.memoryPercent, bytes: config.memoryBytes }, system),
    descriptors: descriptorLimit(),
    descriptorsNeeded: storageDescriptors(config) + http + otlpHttp + otlpGrpc + grpc,
    addresses: await checkAddresses(config),
  };
}

/** Who holds the lock of a data directory; undefined: nobody, or it is none yet. */
function holderOf(path: string): string | undefined {
  // Taking the lock would create the file.
  if (nodeDisk.stat(join(path, LOCK_FILE)) === undefined) return undefined;
  try {
    takeLock(path).release();
    return undefined;
  } catch (error) {
    if (isStoreError(error, 'LOCKED')) return error.message.replace(/^.*?: /, '').replace(/;.*$/, '');
    throw error;
  }
}

/** undefined: it cannot be written there. */
function speedOf(path: string): DiskSpeed | undefined {
  try {
    return measureDisk(path);
  } catch (error) {
    if (isStoreError(error, 'DISK')) return undefined;
    throw error;
  }
}

async function checkAddresses(config: DoctorConfig): Promise<Record<string, string | undefined>> {
  const addresses = {
    httpListenAddr: config.httpListenAddr,
    otlpHTTPListenAddr: config.otlpHttpListenAddr,
    otlpGRPCListenAddr: config.otlpGrpcListenAddr,
    'grpc.listenAddr': config.grpcListenAddr,
    adminListenAddr: config.adminListenAddr,
  };
  const found: Record<string, string | undefined> = {};
  for (const [flag, address] of Object.entries(addresses)) {
    if (address !== undefined) found[`${flag}=${formatAddress(address)}`] = await problemOf(address);
  }
  return found;
}

/** Why it cannot be listened on. */
function problemOf({ host, port }: ListenAddress): Promise<string | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', (error) => resolve(error.message));
    server.listen({ host, port }, () => server.close(() => resolve(undefined)));
  });
}
