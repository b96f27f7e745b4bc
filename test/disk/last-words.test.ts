// The last line of a process: on stderr before the process is killed, and no reason not to kill it when nobody reads.
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

const source = new URL('../../src/disk/last-words.ts', import.meta.url).href;
const run = (before: string): ReturnType<typeof spawnSync> =>
  spawnSync(process.execPath, [
    '--input-type=module',
    '-e',
    `import { writeLastWords } from ${JSON.stringify(source)};
     import { closeSync } from 'node:fs';
     ${before}
     writeLastWords('the end\\n');
     process.kill(process.pid, 'SIGKILL');`,
  ]);

test('are on stderr though the process is killed at once', () => {
  const { stderr, signal } = run('');
  expect([stderr.toString(), signal]).toEqual(['the end\n', 'SIGKILL']);
});

test('that nobody can hear keep nothing from ending', () => {
  expect(run('closeSync(2);').signal).toBe('SIGKILL');
});
