// Asks a store one question at a time and compares with what the intact store answered: after damage each answer is right,
// or says that it may lack something.
import type { ViewFilter } from '../../src/partition/view.ts';
import type { QueryTask } from '../../src/query/run-query.ts';
import type { Storage } from '../../src/storage/storage.ts';
import type { Listed } from '../../src/trace/store.ts';
import type { Tenant } from '../../src/trace/tenant.ts';
import { type Asker, type Questions, textOf } from './store-answers.ts';

interface Answer {
  readonly text: string;
  readonly warnings: readonly string[];
}

interface Question {
  readonly name: string;
  readonly ask: (storage: Storage, asker: Asker) => Answer;
}

const DAY_NS = 86_400_000_000_000n;

/** Traces asked for one by one, a tenant. */
const TRACES_MAX = 6;

/** What can be asked of the intact `storage`, with its answers. */
export class MarkedAnswers {
  readonly #expected: readonly { readonly question: Question; readonly text: string }[];

  constructor(storage: Storage, asker: Asker, questions: Questions) {
    this.#expected = questionsOf(storage, questions).map((question) => {
      const { text, warnings } = question.ask(storage, asker);
      if (warnings.length > 0) throw new Error(`${question.name}: ${warnings.join()}`);
      return { question, text };
    });
  }

  /** Asks everything of `storage`. `wrong`: what is neither as it was nor marked. */
  ask(storage: Storage, asker: Asker): { wrong: string[]; marked: string[]; short: string[]; warnings: Set<string> } {
    const asked = { wrong: [] as string[], marked: [] as string[], short: [] as string[], warnings: new Set<string>() };
    for (const { question, text } of this.#expected) {
      const answer = question.ask(storage, asker);
      const isMarked = answer.warnings.length > 0;
      for (const warning of answer.warnings) asked.warnings.add(warning);
      if (isMarked) asked.marked.push(question.name);
      if (answer.text === text) continue;
      asked.short.push(question.name);
      if (!isMarked) asked.wrong.push(question.name);
    }
    return asked;
  }
}

function questionsOf(storage: Storage, questions: Questions): Question[] {
  const all: Question[] = [];
  for (const tenant of questions.tenants) {
    const list = (name: string, ask: (storage: Storage) => Listed<unknown>): void => {
      all.push({ name: `${tenant} ${name}`, ask: (from) => shown(ask(from)) });
    };
    const services = storage.listServices(tenant).items;
    list('services', (from) => from.listServices(tenant));
    for (const service of services) list(`operations of ${service}`, (from) => from.listOperations(tenant, service));
    const run = (task: QueryTask, filter: ViewFilter): void => {
      all.push({
        name: `${tenant} ${textOf(task).slice(0, 300)}`,
        ask: (from, asker) => runText(asker, from, { tenant, task, filter }),
      });
    };
    const step = Math.ceil(questions.traceIds.length / TRACES_MAX);
    for (let i = 0; i < questions.traceIds.length; i += step) {
      const traceIds = [new Uint8Array(Buffer.from(questions.traceIds[i]!, 'hex'))];
      run({ kind: 'find', traceIds }, { traceIds });
    }
    for (const query of questions.searches) {
      run({ kind: 'search', query }, { startMinNs: query.startMinNs, startMaxNs: query.startMaxNs });
    }
    for (const [startNs, endNs] of questions.windows) {
      const filter = { startMinNs: startNs - (startNs % DAY_NS), startMaxNs: endNs - (endNs % DAY_NS) + DAY_NS - 1n };
      run({ kind: 'dependencies', startNs, endNs }, filter);
      run({ kind: 'metrics', query: { services, kinds: [], startNs, endNs, isByOperation: true } }, filter);
    }
  }
  return all;
}

function shown({ items, warnings }: Listed<unknown>): Answer {
  return { text: textOf(items), warnings };
}

function runText(
  asker: Asker,
  storage: Storage,
  { tenant, task, filter }: { tenant: Tenant; task: QueryTask; filter: ViewFilter },
): Answer {
  const { warnings, damaged: _damaged, ...answer } = asker.run(storage, tenant, { task, filter });
  return { text: textOf(answer), warnings };
}
