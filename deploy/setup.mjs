// Runs before `npm start` and `npm test`: makes node_modules match the lock file, `node` the newest one at hand, and builds the page.
// Plain JavaScript without dependencies, because on a fresh machine an older Node (20) runs it, before anything is installed.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');

refuseSwallowedFlags();
if (isStale()) install();
chooseNode();
buildPage();

/** Without `--`, npm takes flags for settings of its own, and the node would start without them. */
function refuseSwallowedFlags() {
  if (process.env.npm_lifecycle_event !== 'prestart') return;
  const tables = join(root, 'src', 'flags');
  const text = readdirSync(tables)
    .map((name) => readFileSync(join(tables, name), 'utf8'))
    .join('');
  const names = [...text.matchAll(/\b(?:flag\(\s*'\w+',\s*|authKey\()'([\w.]+)'/g)].map((match) => match[1]);
  const settings = npmSettings();
  const name = names.find((one) => !['version', 'help'].includes(one) && settings.has(one.toLowerCase()));
  if (name === undefined) return;
  fail(`npm took -${name} for a setting of its own; write -- before the flags: npm start -- -${name}=…`);
}

/** Names of npm's settings, which it passes on as variables. sh drops those with a dot, but on Linux its own are seen. */
function npmSettings() {
  let ofShell = '';
  try {
    ofShell = readFileSync(`/proc/${process.ppid}/environ`, 'utf8');
  } catch {
    // no /proc here
  }
  const variables = [...Object.keys(process.env), ...ofShell.split('\0').map((entry) => entry.split('=', 1)[0])];
  return new Set(variables.flatMap((variable) => /^npm_config_(.+)$/i.exec(variable)?.[1].toLowerCase() ?? []));
}

/** npm writes node_modules/.package-lock.json when an installation is complete. */
function isStale() {
  const installed = statSync(join(modules, '.package-lock.json'), { throwIfNoEntry: false });
  return installed === undefined || installed.mtimeMs < statSync(join(root, 'package-lock.json')).mtimeMs;
}

/** With the npm that started us, under its own Node: the one in node_modules is deleted while `npm ci` runs. */
function install() {
  process.stderr.write('tracelith: installing dependencies from package-lock.json (npm ci), once\n');
  const { npm_node_execpath: node, npm_execpath: npm } = process.env;
  const [command, first] = node && npm ? [node, [npm]] : ['npm', []];
  // NODE_ENV=production must not leave out the test runner, nor the Node binary, which is an optional dependency.
  // An older Node is warned of every package that it is too old for; what runs afterwards is the packaged one.
  const args = [...first, 'ci', '--loglevel=error', '--no-audit', '--no-fund', '--include=dev', '--include=optional'];
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.status === 0) return;
  fail(`npm ci failed (${result.error?.message ?? `exit ${result.status ?? result.signal}`}); see its messages above`);
}

/**
 * npm puts node_modules/.bin first in PATH, so the link there decides which Node every script runs on: the packaged one,
 * unless the machine's own is newer, or there is no package for this platform.
 */
function chooseNode() {
  const target = `node-${process.platform}-${process.arch}`;
  const link = join(modules, '.bin', 'node');
  const packaged = existsSync(join(modules, target, 'bin', 'node'))
    ? versionOf(join(modules, target, 'package.json'))
    : undefined;
  // Not process.version: this script may already run on the packaged Node. npm tells which Node it runs on itself.
  const machine = /node\/v(\S+)/.exec(process.env.npm_config_user_agent ?? '')?.[1] ?? process.versions.node;
  if (packaged === undefined || isNewer(machine, packaged)) {
    rmSync(link, { force: true });
    if (isNewer('24.15.0', machine))
      fail(`needs Node 24.15 or newer and has ${machine}; no Node is packaged for ${target}: install one`);
  } else if (!existsSync(link)) {
    rmSync(link, { force: true }); // a link to nowhere
    symlinkSync(join('..', target, 'bin', 'node'), link);
  }
}

/** The page at `/`. A node without it serves everything else, so a failure is told and no more. */
function buildPage() {
  const own = join(modules, '.bin', 'node');
  const node = existsSync(own) ? own : process.execPath;
  const { status } = spawnSync(node, [join(root, 'deploy', 'build-ui.mjs')], { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) process.stderr.write('tracelith: the first page could not be built; see the messages above\n');
}

function versionOf(file) {
  return JSON.parse(readFileSync(file, 'utf8')).version;
}

/** Is version `a`, as 24.21.0, newer than `b`? */
function isNewer(a, b) {
  const [left, right] = [a, b].map((version) => version.split('.').map((part) => Number.parseInt(part, 10)));
  const at = left.findIndex((part, index) => part !== right[index]);
  return at >= 0 && left[at] > right[at];
}

function fail(message) {
  process.stderr.write(`tracelith: ${message}\n`);
  process.exit(1);
}
