// Diagnostics of the real program: profiles of both its threads under load, while it answers, and its doctor beside it.
import { expect, test } from 'vitest';
import { sendTo } from '../support/node-client.ts';
import { runProgram, startNode } from '../support/node-process.ts';
import { oneSpan } from '../support/one-span.ts';

test('the engine is profiled while it stores; the calls are in the log', async () => {
  await using node = await startNode();
  const profile = async (what: string): Promise<string> => {
    const answer = fetch(`${node.url}/debug/${what}?thread=engine&seconds=0.5`, { method: 'POST' });
    let isDone = false;
    void answer.finally(() => (isDone = true));
    for (let i = 1; !isDone; i++) await sendTo(node, oneSpan(i));
    const reply = await answer;
    expect(reply.headers.get('content-disposition')).toContain(`tracelith-engine-`);
    return await reply.text();
  };
  expect(await profile('cpu')).toContain('group-commit.ts');
  expect(JSON.parse(await profile('heap'))).toMatchObject({ head: { children: expect.any(Array) as unknown } });
  const { threads, heaps } = (await (await fetch(`${node.url}/debug/threads`)).json()) as {
    threads: { name: string }[];
    heaps: Record<string, unknown>;
  };
  expect(Object.keys(heaps)).toEqual(['main', 'engine']);
  if (process.platform === 'linux') expect(threads.map(({ name }) => name)).toContain('tracelith-engin');
  expect(node.log()).toMatch(
    / an admin call who=\S+ from=127\.0\.0\.1 what="POST \/debug\/cpu" with="thread=engine&seconds=0\.5" status=200/,
  );
});

test('the doctor looks at the directory of a running node, which goes on', async () => {
  await using node = await startNode();
  await sendTo(node, oneSpan(1));
  const { exitCode, output } = await runProgram(['doctor', `-storageDataPath=${node.dataPath}`]);
  expect(output).toMatch(
    new RegExp(`note {2}store: +1 days stored, .*process ${node.pid} already uses this data directory`),
  );
  expect(exitCode).toBe(0);
  await sendTo(node, oneSpan(2));
});
