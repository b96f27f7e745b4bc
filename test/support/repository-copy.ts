// What a release is made from, copied to a folder of its own, so that a test may pack and build in it while others run. The
// installed packages are linked, not copied.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from './source-tree.ts';

const PARTS = [
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'src',
  'deploy',
];

/** The version that package.json names. */
export const version: string = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string })
  .version;

/** Fills `folder`, which is created when absent. */
export function copyRepository(folder: string): void {
  for (const part of PARTS) {
    mkdirSync(dirname(join(folder, part)), { recursive: true });
    cpSync(join(root, part), join(folder, part), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
}

/** A list of the files of a bundle is some megabytes. */
const OUTPUT_BYTES_MAX = 64 << 20;

/** Runs a program in `folder` to its end and returns what it printed on stdout. Throws with its stderr when it fails. */
export function run(folder: string, program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: OUTPUT_BYTES_MAX,
  });
}

/** `npm pack` of the copy in `folder`, into it. Returns the tarball's path. */
export function pack(folder: string): string {
  const [packed] = JSON.parse(run(folder, 'npm', 'pack', '--json', '--loglevel=error')) as [{ filename: string }];
  return join(folder, packed.filename);
}

/** Can `program` be started? */
export function hasProgram(program: string, ...args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
