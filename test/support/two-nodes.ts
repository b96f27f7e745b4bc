// What two nodes answer, to compare them byte by byte, and the tools that copy between them.
import { Child } from '../../native-bench/harness/child.ts';
import { launcher } from '../../native-bench/harness/node-process.ts';
import { ask } from './node-client.ts';
import type { TestNode } from './node-process.ts';

/** Everything that Jaeger's API says of these traces, services and times. */
export async function answersOf(
  node: TestNode,
  { tenants, traceIds }: { readonly tenants: readonly string[]; readonly traceIds: readonly string[] },
): Promise<Map<string, string>> {
  const answers = new Map<string, string>();
  for (const tenant of tenants) {
    const read = async (path: string): Promise<string> => {
      const [status, , text] = await ask(node, path, { 'x-tenant': tenant });
      answers.set(`${tenant} ${path}`, `${status} ${text}`);
      return text;
    };
    const { data } = JSON.parse(await read('/api/services')) as { data: string[] | null };
    for (const service of data ?? []) {
      const name = encodeURIComponent(service);
      await read(`/api/services/${name}/operations`);
      await read(`/api/traces?service=${name}&limit=1000&lookback=7d`);
    }
    for (const id of traceIds) {
      await read(`/api/traces/${id}`);
      await read(`/api/v3/traces/${id}`);
    }
  }
  return answers;
}

/** Starts a tool of the program; the caller waits for its end or kills it. */
export async function startTool(...args: readonly string[]): Promise<Child> {
  return await Child.start(launcher, args);
}
