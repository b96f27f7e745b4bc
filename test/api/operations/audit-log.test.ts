// A line for every call of an operator's path, without keys, on one line whatever the client sent.
import { expect, test } from 'vitest';
import { openEdgeServers } from '../../support/edge-servers.ts';

test('who, from where, what, with what outcome; reading metrics is no call', async () => {
  await using edge = await openEdgeServers({ flags: ['-forceMergeAuthKey=hush', '-http.pathPrefix=/t'] });
  const call = (method: string, path: string): Promise<unknown> => edge.send({ method, path: `/t${path}` });
  await call('POST', '/internal/force_merge?partition_prefix=2026&authKey=hush');
  await call('POST', '/internal/force_merge?partition_prefix=20%0a26%1b&authKey=hush');
  await call('POST', '/internal/force_merge?AUTHKEY=guess1');
  await call('POST', '/internal/partition/detach?name=20261120');
  await call('GET', '/flags');
  await call('DELETE', '/api/archive/00000000000000000000000000000001');
  for (const path of ['/metrics', '/health', '/internal', '/api/services']) await call('GET', path);
  const text = edge.logLines.join('');
  expect(edge.logLines.map((line) => line.slice(25).replace(/tookMs=\d+/, 'tookMs=N'))).toEqual([
    'INFO  an admin call who="key forceMergeAuthKey" from=127.0.0.1 what="POST /internal/force_merge" with="partition_prefix=2026" status=200 tookMs=N\n',
    'INFO  an admin call who="key forceMergeAuthKey" from=127.0.0.1 what="POST /internal/force_merge" with="partition_prefix=20\\n26\\u001b" status=400 tookMs=N\n',
    'WARN  an admin call was refused who=nobody from=127.0.0.1 what="POST /internal/force_merge" status=401 tookMs=N\n',
    'INFO  an admin call who=anyone from=127.0.0.1 what="POST /internal/partition/detach" with="name=20261120" status=200 tookMs=N\n',
    'INFO  an admin call who=anyone from=127.0.0.1 what="GET /flags" status=200 tookMs=N\n',
    'INFO  an admin call who=anyone from=127.0.0.1 what="DELETE /api/archive/*" with="*=00000000000000000000000000000001" status=500 tookMs=N\n',
  ]);
  expect(text).not.toMatch(/hush|guess/);
});

test('whoever guesses keys does not flood the log', async () => {
  await using edge = await openEdgeServers({ flags: ['-forceMergeAuthKey=hush'] });
  for (let i = 0; i < 40; i++) await edge.send({ method: 'POST', path: `/internal/force_merge?authKey=${i}` });
  expect(edge.logLines).toHaveLength(5);
  expect(edge.logger.counts()).toMatchObject([{ message: 'an admin call was refused', count: 40, suppressed: 35 }]);
});
