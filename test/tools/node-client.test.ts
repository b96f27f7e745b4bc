import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { StoreError } from '../../src/base/errors.ts';
import { BodyReader, NodeClient, unbroken } from '../../src/tools/node-client.ts';

/** A server that answers each request in turn. */
async function serve(
  ...answers: ((response: ServerResponse, request: IncomingMessage) => void)[]
): Promise<{ url: string; count: () => number } & AsyncDisposable> {
  let count = 0;
  const server = createServer((request, response) =>
    answers[Math.min(count++, answers.length - 1)]!(response, request),
  );
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const dispose = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url, count: () => count, [Symbol.asyncDispose]: dispose };
}

const status =
  (code: number, text = '') =>
  (response: ServerResponse): void =>
    void response.writeHead(code).end(text);

test('what is refused for now is asked again, what is refused for good is not', async () => {
  await using busy = await serve(status(503), status(429), (response) => response.destroy(), status(200, '[1]'));
  expect(await new NodeClient({ url: busy.url, waitMs: 1 }).callJson('/x')).toEqual([1]);
  expect(busy.count()).toBe(4);
  await using wrong = await serve(status(401, 'missing authKey\n'));
  await expect(new NodeClient({ url: wrong.url, waitMs: 1 }).call('/x')).rejects.toThrow(
    `${wrong.url}/x: 401 missing authKey`,
  );
  expect(wrong.count()).toBe(1);
});

test('tries end, with the last reason', async () => {
  await using down = await serve(status(503, 'closing'));
  const client = new NodeClient({ url: down.url, waitMs: 1, tries: 3 });
  await expect(client.call('/x')).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining('503 closing; tried 3'),
  });
  const nobody = new NodeClient({ url: 'http://127.0.0.1:1', waitMs: 1, tries: 2 });
  await expect(nobody.call('/x')).rejects.toThrow(/ECONNREFUSED|bad port/);
});

test('the key and a login in the URL are sent as headers, and the login is in no message', async () => {
  const seen: IncomingMessage['headers'][] = [];
  await using node = await serve((response, { headers }) => {
    seen.push(headers);
    response.writeHead(400).end();
  });
  const url = node.url.replace('//', '//me:p%40ss@');
  const failed = new NodeClient({ url: `${url}/prefix/`, authKey: 'key' }).call('/x');
  await expect(failed).rejects.toThrow(`${node.url}/prefix/x: 400`);
  await expect(new NodeClient({ url, token: 'tlt_1' }).call('/x')).rejects.toThrow(': 400');
  expect(seen).toMatchObject([
    { authkey: 'key', authorization: `Basic ${Buffer.from('me:p@ss').toString('base64')}` },
    { authorization: 'Bearer tlt_1' },
  ]);
});

test.each(['', 'host:1', 'ftp://host', 'ftp://me:hunter2@host'])('%j is no URL of a node', (url) => {
  expect(() => new NodeClient({ url })).toThrow(/^(?!.*hunter2).*expected the URL of a node/);
});

test('work whose answer breaks off is begun again, and given up after some breaks', async () => {
  let begun = 0;
  const work = (breaks: number) => async (): Promise<number> => {
    if (begun++ < breaks) throw new StoreError('UNAVAILABLE', 'broke off');
    return begun;
  };
  expect(await unbroken(work(3))).toBe(4);
  begun = 0;
  await expect(unbroken(work(4))).rejects.toThrow('broke off');
  await expect(unbroken(() => Promise.reject(new StoreError('DISK', 'full')))).rejects.toThrow('full');
});

test('a body is read by sizes across chunks, and one that breaks off is refused', async () => {
  await using node = await serve(
    (response) => {
      response.write('ab');
      setTimeout(() => response.end('cdefg'), 20);
    },
    (response) => {
      response.writeHead(200, { 'content-length': '10' }).write('abc');
      setTimeout(() => response.destroy(), 20);
    },
  );
  const client = new NodeClient({ url: node.url });
  const body = new BodyReader(await client.call('/'));
  expect([await body.read(3), await body.read(4), await body.read(0), await body.read(1)].map(String)).toEqual([
    'abc',
    'defg',
    '',
    'undefined',
  ]);
  const broken = new BodyReader(await client.call('/'));
  await expect(broken.read(5)).rejects.toThrow(`${node.url}/: the answer broke off`);
});
