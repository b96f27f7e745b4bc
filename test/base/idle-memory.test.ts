import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const url = new URL('../../src/base/idle-memory.ts', import.meta.url).href;

/** Buffers of a process that has dropped `mib` of them and become idle. */
function buffersLeft(mib: number, flags: readonly string[]): number {
  const used = `for (let i = 0; i < ${mib}; i++) new Uint8Array(1 << 20).fill(1);`;
  return buffersAfter(`const use = () => { ${used} }; use(); collectIdle();`, flags);
}

function buffersAfter(code: string, flags: readonly string[]): number {
  const script = `
    import { collectIdle, SpentBuffers } from ${JSON.stringify(url)};
    ${code}
    // V8 frees the buffers of a collection on a thread of its own.
    for (let i = 0; i < 100 && process.memoryUsage().arrayBuffers > 10 << 20; i++) await new Promise((r) => setTimeout(r, 10));
    console.log(process.memoryUsage().arrayBuffers);`;
  const own = ['--external-memory-accounted-in-global-limit', '--input-type=module-typescript', '-e', script];
  return Number(execFileSync(process.execPath, [...flags, ...own], { encoding: 'utf8' }));
}

test('a thread that becomes idle gives back the buffers of a spike, and does not collect for a few', () => {
  expect(buffersLeft(60, [])).toBeGreaterThan(50 << 20);
  expect(buffersLeft(60, ['--expose-gc'])).toBeLessThan(10 << 20);
  expect(buffersLeft(20, ['--expose-gc'])).toBeGreaterThan(15 << 20);
});

test('a thread that is never idle collects what it is done with before it adds up', () => {
  const code = `const spent = new SpentBuffers();
    const answer = () => new Uint8Array(8 << 20).fill(1).length;
    for (let i = 0; i < 5; i++) spent.add(answer());`;
  expect(buffersAfter(code, [])).toBeGreaterThan(30 << 20);
  const left = buffersAfter(code, ['--expose-gc']);
  expect(left).toBeLessThanOrEqual(10 << 20);
  expect(left).toBeGreaterThan(7 << 20);
});

test('a thread that is never idle collects old buffers, too, once they have added up', () => {
  const code = `const spent = new SpentBuffers();
    const answer = () => new Uint8Array(8 << 20).fill(1).length;
    const age = () => {
      const old = Array.from({ length: 15 }, () => new Uint8Array(8 << 20).fill(1));
      for (let i = 0; i < 3; i++) gc({ type: 'minor', execution: 'sync' });
      return old.length;
    };
    age();
    for (let i = 0; i < 5; i++) spent.add(answer());`;
  expect(buffersAfter(code, ['--expose-gc'])).toBeLessThanOrEqual(10 << 20);
});

test('the program is started so that it can', () => {
  expect(readFileSync(new URL('../../deploy/tracelith', import.meta.url), 'utf8')).toContain(' --expose-gc ');
});
