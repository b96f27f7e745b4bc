// Partitions and snapshots over the real listener: methods, parameters, keys, answers. What they do is tested on the store.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openEdgeServers, type EdgeServers, type RawResponse } from '../../support/edge-servers.ts';

let edge: EdgeServers;
beforeAll(async () => {
  edge = await openEdgeServers();
});
afterAll(async () => {
  await edge[Symbol.asyncDispose]();
});
beforeEach(() => {
  edge.store.adminCalls.length = 0;
});

const send = (path: string, method = 'POST', server = edge): Promise<RawResponse> =>
  server.send({ method, path: `/internal/partition/${path}` });

const PATHS = [
  'list',
  'tenants',
  'digests',
  'traces',
  'detach',
  'attach',
  'accept_loss',
  'fill_log_gaps',
  'snapshot/create',
  'snapshot/list',
  'snapshot/delete',
];

describe('partitions', () => {
  test('are listed, detached and attached', async () => {
    expect([(await send('list')).status, (await send('list')).text]).toEqual([200, '["20261119","20261120"]']);
    expect((await send('detach?name=20261120')).text).toBe('OK\n');
    expect((await send('attach?name=20261120')).text).toBe('OK\n');
    expect(edge.store.adminCalls).toEqual(['detach 20261120', 'attach 20261120']);
  });

  test.each(['', 'nonsense', 'text/plain', 'application/json', 'application/x-www-form-urlencoded', 'a/b; c'])(
    'whatever media type their body has: "%s"',
    async (type) => {
      const headers = { 'content-type': type };
      for (const body of ['', '{']) {
        const request = { method: 'POST', path: '/internal/partition/list', headers, body };
        expect([body, (await edge.send(request)).status]).toEqual([body, 200]);
        expect((await edge.send({ ...request, path: '/internal/force_flush', hasLength: true })).status).toBe(200);
      }
    },
  );

  test('are named by eight digits and nothing else', async () => {
    const bad = [
      '',
      '?name=',
      '?name=..',
      '?name=2026112',
      '?name=20261120%2F..',
      '?name=20261120%00',
      '?name=1&name=2',
    ];
    for (const query of bad) {
      for (const path of ['detach', 'attach']) expect([query, (await send(path + query)).status]).toEqual([query, 400]);
    }
    expect(edge.store.adminCalls).toEqual([]);
  });

  test.each(PATHS)('%s is POST only', async (path) => {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const { status, headers } = await send(path, method);
      expect([method, status, headers['allow']]).toEqual([method, 405, 'POST']);
    }
    expect(edge.store.adminCalls).toEqual([]);
  });
});

test('losses are accepted by prefix, and named', async () => {
  expect((await send('accept_loss?partition_prefix=202611')).text).toBe('["a part"]');
  // What is passed over would accept the losses of every day, for good.
  for (const [query, message] of [
    ['name=20261120', 'unknown parameter "name"'],
    ['partition_prefix=20261120&partition_prefix=20261121', 'partition_prefix: given twice'],
    ['partition_prefix=', 'partition_prefix: has no value'],
  ] as const)
    expect(await send(`accept_loss?${query}`)).toMatchObject({ status: 400, text: expect.stringContaining(message) });
  expect(edge.store.adminCalls).toEqual(['accept losses 202611']);
});

test('gaps of the log are declared filled', async () => {
  expect((await send('fill_log_gaps')).text).toBe('OK\n');
  expect((await send('fill_log_gaps?partitions=0,12')).text).toBe('OK\n');
  for (const query of ['partitions=all', 'partitions=', 'partition=3', 'partitions=1&partitions=2'])
    expect([query, (await send(`fill_log_gaps?${query}`)).status]).toEqual([query, 400]);
  expect(edge.store.adminCalls).toEqual(['fill gaps of all', 'fill gaps 0,12']);
});

describe('snapshots', () => {
  test('are created by prefix or name, listed and deleted', async () => {
    expect((await send('snapshot/create')).text).toBe('["/data/snapshots/"]');
    expect((await send('snapshot/create?partition_prefix=202611')).text).toBe('["/data/snapshots/202611"]');
    expect((await send('snapshot/create?name=20261120')).text).toBe('["/data/snapshots/20261120"]');
    expect((await send('snapshot/list')).text).toBe('["/data/snapshots/one"]');
    expect((await send('snapshot/delete?path=%2Fdata%2Fsnapshots%2Fone')).text).toBe('OK\n');
    expect(edge.store.adminCalls).toEqual([
      'snapshot ',
      'snapshot 202611',
      'snapshot 20261120',
      'delete /data/snapshots/one',
    ]);
  });

  test('are refused with a malformed name or prefix, and deleted only with a path', async () => {
    for (const path of ['snapshot/create?name=2026', 'snapshot/create?partition_prefix=..', 'snapshot/delete']) {
      expect([path, (await send(path)).status]).toEqual([path, 400]);
    }
    expect(edge.store.adminCalls).toEqual([]);
  });
});

test('all of it asks for -partitionManageAuthKey where one is set', async () => {
  await using locked = await openEdgeServers({ flags: ['-partitionManageAuthKey=secret'] });
  for (const path of PATHS) {
    const { status, text } = await send(path, 'POST', locked);
    expect([path, status]).toEqual([path, 401]);
    expect(text).toContain('-partitionManageAuthKey');
    expect((await send(`${path}?authKey=wrong`, 'POST', locked)).status).toBe(401);
  }
  expect(locked.store.adminCalls).toEqual([]);
  expect((await send('list?authKey=secret', 'POST', locked)).status).toBe(200);
});
