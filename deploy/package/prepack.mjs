// Runs before `npm pack`: compiles src/ into dist/, because Node strips no types below node_modules, and builds the first page.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

if (!existsSync(`${root}node_modules/.bin/tsc`)) throw new Error(`${root}: there is no compiler: run npm ci first`);
// Whatever the caller's is: another one builds a page for debugging, with the paths of this machine in it.
process.env.NODE_ENV = 'production';
await import('../build-ui.mjs');
rmSync(`${root}dist`, { recursive: true, force: true });
const { status, error } = spawnSync('tsc', ['-p', 'deploy/package'], { cwd: root, stdio: ['ignore', 2, 2] });
if (status !== 0)
  throw new Error(`tsc -p deploy/package: ${error?.message ?? `exit ${status}`}; see its messages above`);
