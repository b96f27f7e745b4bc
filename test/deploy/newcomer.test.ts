// The newcomer's walk: a fresh clone of this checkout's last commit, and README's code blocks in order, as a shell runs them. Left out
// are `npm test`, of which this is a part, and programs that are not here. The ports are others, because a node may run here.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { Child, findFreePort } from '../../native-bench/harness/child.ts';
import { codeBlocks, newcomerEnvironment } from '../support/newcomer.ts';
import { hasProgram } from '../support/repository-copy.ts';
import { root } from '../support/source-tree.ts';

const hasGit = hasProgram('git', '-C', root, 'rev-parse', '--verify', 'HEAD');
const blocks = codeBlocks(readFileSync(join(root, 'README.md'), 'utf8'));
const minutesMs = 60_000;

test('every code block of the README says what it is', () => {
  expect(blocks.filter(({ language }) => !['sh', 'yaml'].includes(language))).toEqual([]);
  expect(blocks.filter(({ language }) => language === 'sh').length).toBeGreaterThan(3);
});

class Walk {
  readonly #folder = mkdtempSync(join(tmpdir(), 'tracelith-newcomer-'));
  readonly #environment = newcomerEnvironment(join(this.#folder, 'home'));
  readonly #clone = join(this.#folder, 'tracelith');
  readonly #beginMs = Date.now();
  #node: Child | undefined;
  #address = '';
  /** Everything the commands printed. */
  printed = '';

  /** Runs one block. */
  async follow({ language, text }: { readonly language: string; readonly text: string }): Promise<void> {
    if (language === 'yaml') return await this.#export(text);
    const lines = text.includes('npm start') ? text.trimEnd().split('\n') : [text];
    for (const line of lines) await this.#run(line);
  }

  async #run(command: string): Promise<void> {
    const [program = '', verb = ''] = command.trim().split(/\s+/);
    if (program === 'npm' && verb === 'test') return;
    if (program === 'npm' && verb === 'start') return await this.#start();
    if (program === 'git') return this.#print('.', command.replace('REPOSITORY_URL', root));
    if (/^[a-z]+$/.test(program) && !hasProgram('sh', '-c', `command -v ${program}`)) {
      process.stdout.write(`left out of the walk: ${program} is not here\n`);
      return;
    }
    this.#print('tracelith', command.replaceAll('127.0.0.1:10428', this.#address));
    if (this.printed.includes('"operationName":"first span"')) this.#tell('first trace seen');
  }

  #tell(what: string): void {
    process.stdout.write(`newcomer: ${what} ${((Date.now() - this.#beginMs) / 1000).toFixed(1)} s after git clone\n`);
  }

  /** Runs a command to its end in a folder of the walk's. Throws when it fails. */
  #print(place: string, command: string): void {
    const shell = ['-i', ...this.#environment, 'sh', '-ec', command];
    this.printed += execFileSync('env', shell, { cwd: join(this.#folder, place), encoding: 'utf8' });
  }

  async #start(): Promise<void> {
    const flags = ['httpListenAddr', 'otlpGRPCListenAddr', 'otlpHTTPListenAddr', 'grpc.listenAddr'];
    const free = await Promise.all(flags.map(() => findFreePort()));
    const addresses = flags.map((flag, i) => `-${flag}=127.0.0.1:${free[i]}`);
    const command = `cd '${this.#clone}' && exec npm start -- ${addresses.join(' ')}`;
    const node = await Child.start('env', ['-i', ...this.#environment, 'sh', '-c', command]);
    this.#node = node;
    this.#address = `127.0.0.1:${free[0]}`;
    const isReady = (): boolean => node.output.includes('tracelith is ready');
    await expect.poll(() => isReady() || !node.isRunning, { timeout: 4 * minutesMs, interval: 50 }).toBe(true);
    if (!isReady()) throw new Error(`npm start ended:\n${node.output}`);
    expect(node.output, 'no wall of warnings').not.toMatch(/^npm (warn|error)/m);
    this.#tell('node ready');
  }

  /** A Collector's configuration: its exporter's address takes spans. */
  async #export(text: string): Promise<void> {
    const { exporters } = parse(text) as { exporters: Record<string, { traces_endpoint: string }> };
    for (const { traces_endpoint: url } of Object.values(exporters)) {
      const body = '{"resourceSpans":[]}';
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(url.replace('127.0.0.1:10428', this.#address), { method: 'POST', headers, body });
      expect([url, answer.status]).toEqual([url, 200]);
    }
  }

  async end(): Promise<void> {
    await this.#node?.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

test.runIf(hasGit)('on a fresh clone its commands lead to a first trace', { timeout: 6 * minutesMs }, async () => {
  const walk = new Walk();
  onTestFinished(() => walk.end());
  for (const block of blocks) await walk.follow(block);
  expect(walk.printed).toContain('200 OK');
  expect(walk.printed).toMatch(/"data":\["hello"\]/);
  expect(walk.printed).toContain('"operationName":"first span"');
  expect(walk.printed).toContain('"traceId":"5b8efff798038103d269b633813fc60c"');
});
