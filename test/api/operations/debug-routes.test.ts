// /debug: behind its key, one profile at a time, and parameters that say what is wrong.
import { expect, test } from 'vitest';
import { openEdgeServers } from '../../support/edge-servers.ts';

test('threads are told, profiles of the main thread are taken, one at a time', async () => {
  await using edge = await openEdgeServers();
  const threads = await edge.send({ method: 'GET', path: '/debug/threads' });
  expect(JSON.parse(threads.text)).toMatchObject({
    heaps: { main: { used_heap_size: expect.any(Number) as number } },
    waitsFor: { TCPServerWrap: 2 },
    threads: expect.any(Array) as unknown,
  });
  const [first, second] = await Promise.all([
    edge.send({ method: 'POST', path: '/debug/cpu?seconds=0.3' }),
    edge.send({ method: 'POST', path: '/debug/heap?seconds=0.3' }),
  ]);
  expect([first.status, second.status]).toEqual([200, 429]);
  expect(first.headers['content-disposition']).toMatch(/^attachment; filename="tracelith-main-[\dT-]+\.cpuprofile"$/);
  expect(JSON.parse(first.text)).toMatchObject({ nodes: expect.any(Array) as unknown });
  const heap = await edge.send({ method: 'POST', path: '/debug/heap?seconds=0.1&thread=main' });
  expect([heap.status, JSON.parse(heap.text)]).toMatchObject([200, { head: { callFrame: {} } }]);
});

test('parameters and the key are checked; reading does not profile', async () => {
  await using edge = await openEdgeServers({ flags: ['-pprofAuthKey=hush'] });
  const answer = async (method: string, path: string): Promise<unknown[]> => {
    const { status, text } = await edge.send({ method, path });
    return [status, text];
  };
  expect(await answer('GET', '/debug/threads')).toEqual([
    401,
    'missing authKey: this path is protected by -pprofAuthKey\n',
  ]);
  expect((await answer('POST', '/debug/cpu?authKey=guess'))[0]).toBe(401);
  const key = 'authKey=hush';
  expect(await answer('POST', `/debug/cpu?${key}&thread=__proto__`)).toEqual([
    400,
    'thread: expected main, got "__proto__"\n',
  ]);
  for (const seconds of ['0', '51', '-1', '1e9', 'x', '']) {
    expect((await answer('POST', `/debug/heap?${key}&seconds=${seconds}`))[0], seconds).toBe(400);
  }
  expect((await answer('GET', `/debug/cpu?${key}`))[0]).toBe(405);
});
