// The newcomer's walk: a fresh clone of this checkout's last commit, and README's commands as a shell runs them: the code blocks in
// order, then what its sentences and tables name (WAYS says how far each is followed). Left out are `npm test`, of which this is a
// part, and programs that are not here. The ports and folders are others, because a node may run here.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { Child, findFreePort } from '../../native-bench/harness/child.ts';
import { codeBlocks, commandsInText, newcomerEnvironment, WAYS } from '../support/newcomer.ts';
import { hasProgram } from '../support/repository-copy.ts';
import { root } from '../support/source-tree.ts';

const hasGit = hasProgram('git', '-C', root, 'rev-parse', '--verify', 'HEAD');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const blocks = codeBlocks(readme);
const inText = commandsInText(readme);
const minutesMs = 60_000;

test('every code block of the README says what it is', () => {
  expect(blocks.filter(({ language }) => !['sh', 'yaml'].includes(language))).toEqual([]);
  expect(blocks.filter(({ language }) => language === 'sh').length).toBeGreaterThan(3);
});

test('every command in the text of the README is followed, or another test does what it does', () => {
  expect(inText.toSorted()).toEqual(Object.keys(WAYS).toSorted());
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  for (const command of inText) {
    const script = /^npm run (\S+)/.exec(command)?.[1];
    if (script !== undefined) expect(scripts, command).toHaveProperty([script]);
    const way = WAYS[command]!;
    if (way.kind !== 'elsewhere') continue;
    expect(existsSync(join(root, way.file)), way.file).toBe(true);
    expect(readFileSync(join(root, way.by), 'utf8'), command).toContain(way.file);
  }
});

/** A node that `npm start` started. */
interface Started {
  readonly child: Child;
  readonly http: string;
  readonly grpc: string;
}

class Walk {
  readonly #folder = mkdtempSync(join(tmpdir(), 'tracelith-newcomer-'));
  /** What programs of the walk leave behind would be found here. */
  readonly temporary = join(this.#folder, 'tmp');
  readonly #environment = [...newcomerEnvironment(join(this.#folder, 'home')), `TMPDIR=${this.temporary}`];
  readonly #clone = join(this.#folder, 'tracelith');
  readonly #beginMs = Date.now();
  readonly #nodes: Started[] = [];
  /** Everything the commands printed. */
  printed = '';

  constructor() {
    mkdirSync(this.temporary);
  }

  /** Runs one block. */
  async follow({ language, text }: { readonly language: string; readonly text: string }): Promise<void> {
    if (language === 'yaml') return await this.#export(text);
    const lines = text.includes('npm start') ? text.trimEnd().split('\n') : [text];
    for (const line of lines) await this.#run(line);
  }

  async #run(command: string): Promise<void> {
    const [program = '', verb = ''] = command.trim().split(/\s+/);
    if (program === 'npm' && verb === 'test') return;
    if (program === 'npm' && verb === 'start') return await this.#start('npm start --');
    if (program === 'git') return this.#print('.', command.replace('REPOSITORY_URL', root));
    if (/^[a-z]+$/.test(program) && !hasProgram('sh', '-c', `command -v ${program}`)) {
      process.stdout.write(`left out of the walk: ${program} is not here\n`);
      return;
    }
    this.#print('tracelith', this.#placed(command));
    if (this.printed.includes('"operationName":"first span"')) this.#tell('first trace seen');
  }

  /** Follows a command of the text. */
  async followInText(command: string): Promise<void> {
    const way = WAYS[command]!;
    if (way.kind === 'node') return await this.#start(this.#placed(command));
    if (way.kind === 'until') return await this.#interrupt(command, way.until);
    if (way.kind === 'elsewhere') return this.#tell(`${command} is left to ${way.by}`);
    if (way.needs !== undefined && !hasProgram('sh', '-c', `command -v ${way.needs}`))
      return this.#tell(`${command} is left out: ${way.needs} is not here`);
    const before = this.printed.length;
    this.#print('tracelith', `${this.#placed(`${command} ${way.more ?? ''}`)} 2>&1`);
    expect(this.printed.slice(before), command).toMatch(way.prints);
    this.#tell(command);
  }

  /** A command with the addresses and folders of this walk. A clone has the program in deploy/, an installation in PATH. */
  #placed(command: string): string {
    const [first, second] = this.#nodes;
    return command
      .replace(/^tracelith /, 'deploy/tracelith ')
      .replaceAll('127.0.0.1:10428', first?.http ?? '')
      .replaceAll('127.0.0.1:17271', first?.grpc ?? '')
      .replaceAll('SECOND', second?.http ?? '')
      .replaceAll('/var/lib/tracelith', join(this.#folder, 'second'))
      .replaceAll('DIR', join(this.#folder, 'backup'));
  }

  /** Runs a command as in a terminal until it has printed `until`, then presses Ctrl-C. */
  async #interrupt(command: string, until: RegExp): Promise<void> {
    const child = await this.#child(command);
    const isAt = (): boolean => until.test(child.output);
    try {
      await expect.poll(() => isAt() || !child.isRunning, { timeout: 2 * minutesMs, interval: 50 }).toBe(true);
      expect(isAt(), `${command} ended:\n${child.output}`).toBe(true);
      process.kill(child.pid, 'SIGINT');
      await expect.poll(() => child.isRunning, { timeout: minutesMs, interval: 50 }).toBe(false);
      const pid = until.exec(child.output)?.groups?.['pid'];
      const isLeft = (): boolean => pid !== undefined && existsSync(`/proc/${pid}`);
      await expect
        .poll(isLeft, { timeout: minutesMs, interval: 50, message: `process ${pid} of ${command}` })
        .toBe(false);
    } finally {
      await child.stop();
    }
    this.#tell(command);
  }

  #child(command: string): Promise<Child> {
    const shell = `cd '${this.#clone}' && exec ${command}`;
    return Child.start('env', ['-i', ...this.#environment, 'sh', '-c', shell]);
  }

  #tell(what: string): void {
    process.stdout.write(`newcomer: ${what} ${((Date.now() - this.#beginMs) / 1000).toFixed(1)} s after git clone\n`);
  }

  /** Runs a command to its end in a folder of the walk's. Throws when it fails. */
  #print(place: string, command: string): void {
    const shell = ['-i', ...this.#environment, 'sh', '-ec', command];
    this.printed += execFileSync('env', shell, { cwd: join(this.#folder, place), encoding: 'utf8' });
  }

  async #start(start: string): Promise<void> {
    const flags = ['httpListenAddr', 'grpc.listenAddr', 'otlpGRPCListenAddr', 'otlpHTTPListenAddr'];
    const free = await Promise.all(flags.map(() => findFreePort()));
    const [http = '', grpc = ''] = free.map((port) => `127.0.0.1:${port}`);
    const addresses = flags.map((flag, i) => `-${flag}=127.0.0.1:${free[i]}`);
    const child = await this.#child(`${start} ${addresses.join(' ')}`);
    this.#nodes.push({ child, http, grpc });
    const isReady = (): boolean => child.output.includes('tracelith is ready');
    await expect.poll(() => isReady() || !child.isRunning, { timeout: 4 * minutesMs, interval: 50 }).toBe(true);
    if (!isReady()) throw new Error(`npm start ended:\n${child.output}`);
    expect(child.output, 'no wall of warnings').not.toMatch(/^npm (warn|error)/m);
    this.#tell('node ready');
  }

  /** A Collector's configuration: its exporter's address takes spans. */
  async #export(text: string): Promise<void> {
    const { exporters } = parse(text) as { exporters: Record<string, { traces_endpoint: string }> };
    for (const { traces_endpoint: url } of Object.values(exporters)) {
      const body = '{"resourceSpans":[]}';
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(this.#placed(url), { method: 'POST', headers, body });
      expect([url, answer.status]).toEqual([url, 200]);
    }
  }

  async stop(): Promise<void> {
    for (const { child } of this.#nodes) await child.stop();
    if (this.#nodes.length > 0) this.#tell('nodes stopped');
  }

  async end(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

test.runIf(hasGit)('on a fresh clone its commands lead to a first trace', { timeout: 6 * minutesMs }, async () => {
  const walk = new Walk();
  onTestFinished(() => walk.end());
  for (const block of blocks) await walk.follow(block);
  for (const command of inText) await walk.followInText(command);
  expect(walk.printed).toContain('200 OK');
  expect(walk.printed).toMatch(/"data":\["hello"\]/);
  expect(walk.printed).toContain('"operationName":"first span"');
  expect(walk.printed).toContain('"traceId":"5b8efff798038103d269b633813fc60c"');
  await walk.stop();
  expect(readdirSync(walk.temporary)).toEqual([]);
});
