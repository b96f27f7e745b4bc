// Prints at the end of a run how many of the contract's checks the project `conformance` has found green; nothing when
// the run had none of it. Red ones fail the run by themselves, as every test does.
import type { Reporter, TestModule } from 'vitest/node';
import { CHECKS } from '../conformance/checks.ts';

export class ConformanceCount implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const states = statesOf(modules);
    if (states.size > 0) process.stdout.write(`${countLine(states)}\n`);
  }
}

/** The state of every check that ran, by id. */
function statesOf(modules: readonly TestModule[]): Map<string, string> {
  const states = new Map<string, string>();
  for (const module of modules.filter(({ project }) => project.name === 'conformance')) {
    const tests = Array.from(module.children.allTests(), (test) => [test.name, test.result().state] as const);
    const groups = Array.from(module.children.allSuites(), (suite) => [suite.name, suite.state()] as const);
    for (const [name, state] of [...tests, ...groups]) {
      const [, id] = /^([A-H]\d+) /.exec(name) ?? [];
      if (id !== undefined) states.set(id, state);
    }
  }
  return states;
}

/** "conformance: 97 of 99 checks green, 2 skipped by name (G9, H2)", and those that are red or did not run. */
export function countLine(states: ReadonlyMap<string, string>): string {
  const ids = Object.keys(CHECKS);
  const inState = (state: string): string[] => ids.filter((id) => states.get(id) === state);
  const red = inState('failed');
  const left = ids.filter((id) => !['passed', 'failed', 'skipped'].includes(states.get(id) ?? ''));
  const parts = [
    `conformance: ${inState('passed').length} of ${ids.length} checks green`,
    ...listed(inState('skipped'), 'skipped by name'),
    ...listed(red, 'red'),
    ...listed(left, 'not run'),
  ];
  return parts.join(', ');
}

function listed(ids: readonly string[], what: string): string[] {
  return ids.length === 0 ? [] : [`${ids.length} ${what} (${ids.join(', ')})`];
}
