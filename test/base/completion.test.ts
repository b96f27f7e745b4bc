// Completion by the real shells: what bash offers for a line that is typed, and that zsh can read its own.
import { execFileSync, spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { completionFor } from '../../src/base/completion.ts';
import { flagTable } from '../../src/config.ts';

const program = { flags: flagTable, commands: ['verify', 'help'] };

/** What bash offers for `line`, sorted. */
function offered(line: string): string[] {
  const script = `${completionFor('bash', program)}
compopt() { :; }
COMP_LINE=$1 COMP_POINT=\${#1} COMP_CWORD=$2
_tracelith
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const words = String(line.split(' ').length - 1);
  return execFileSync('bash', ['-c', script, 'bash', line, words], { encoding: 'utf8' })
    .split('\n')
    .filter(Boolean)
    .sort();
}

test.each<[string, string[]]>([
  ['tracelith -retentionP', ['-retentionPeriod=']],
  ['tracelith --retentionP', ['-retentionPeriod=']],
  ['tracelith -purge.enable -search.maxT', ['-search.maxTraces=']],
  ['tracelith -purge', ['-purge.enable']],
  ['tracelith -loggerFormat=', ['default', 'json']],
  ['tracelith -loggerFormat=j', ['json']],
  ['tracelith -purge.enable=f', ['false']],
  ['tracelith ver', ['verify']],
  ['tracelith -storageDataPath=/etc/passw', ['/etc/passwd', '/etc/passwd-'].filter((path) => path === '/etc/passwd')],
])('bash: %s', (line, expected) => {
  expect(offered(line)).toEqual(expect.arrayContaining(expected));
  if (!line.includes('/')) expect(offered(line)).toEqual(expected);
});

test('bash: every flag is offered', () => {
  const names = offered('tracelith -').map((name) => name.replace(/^-|=$/g, ''));
  expect(names.sort()).toEqual(flagTable.map(({ name }) => name).sort());
});

test.runIf(spawnSync('zsh', ['--version']).status === 0)('zsh reads its own', () => {
  const { status, stderr } = spawnSync('zsh', ['-n', '-c', completionFor('zsh', program)], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
});

test('zsh: every flag is there', () => {
  const script = completionFor('zsh', program);
  for (const { name, isBoolean } of flagTable) expect(script).toContain(isBoolean ? `'-${name}[` : `'-${name}=[`);
  // An odd number of quotes would end the list early.
  expect(script.split("'").length % 2).toBe(1);
});

test.each([undefined, 'fish'])('%s is refused with what to write', (shell) => {
  expect(() => completionFor(shell, program)).toThrow(
    /expected bash or zsh, for example: source <\(tracelith completion bash\)/,
  );
});
