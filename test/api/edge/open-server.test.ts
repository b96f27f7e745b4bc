// The refusal of an address: what, where, what to do.
import { expect, test } from 'vitest';
import { cannotListen } from '../../../src/api/edge/open-server.ts';

test.each([
  ['EADDRINUSE', 'another process has this port: stop it, or choose another port'],
  ['EACCES', 'this user may not listen on this port: choose one from 1024 on, or grant CAP_NET_BIND_SERVICE'],
  ['EADDRNOTAVAIL', 'this machine has no such address: choose one of its own, or :PORT for all of them'],
  ['ENOTFOUND', 'this name has no address: write an IP address, or :PORT for all of them'],
  ['EOTHER', 'choose another address'],
])('%s says: %s', (code, way) => {
  const cause = Object.assign(new Error(`listen ${code}`), { code });
  const error = cannotListen('httpListenAddr', { host: '::1', port: 80 }, cause);
  expect(error.message).toBe(`-httpListenAddr=[::1]:80: cannot listen: listen ${code}; ${way}`);
  expect([error.code, error.cause]).toEqual(['CONFIG', cause]);
});
