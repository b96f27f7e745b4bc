// Storage nodes by DNS: a real process asks a real, small DNS server for an SRV record or the addresses of a name, and follows what
// changes. The processes get an /etc/resolv.conf of their own, which needs root.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DnsServer } from '../support/dns-server.ts';
import { oneSpan } from '../support/one-span.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { RoleProcess, waitFor } from '../support/role-process.ts';
import { TemporaryFolder } from '../storage/open-store.ts';

const DNS_HOST = '127.0.0.153';
const DNS_PORT = 53;
const SERVICE = '_storage._tcp.traces.test';

/** Runs a program with `file` in the place of /etc/resolv.conf. */
function withResolver(file: string): [string, ...string[]] {
  return ['unshare', '-m', 'sh', '-c', `mount --bind ${file} /etc/resolv.conf && exec "$@"`, 'sh'];
}

const [program, ...args] = [...withResolver('/etc/resolv.conf'), 'true'];
const canResolve = process.getuid?.() === 0 && spawnSync(program, args).status === 0;

test.skipIf(!canResolve)(
  'nodes of an SRV record and of a name are found, come, go and move',
  { timeout: 300_000 },
  async () => {
    using folder = new TemporaryFolder();
    const resolver = join(folder.path, 'resolv.conf');
    writeFileSync(resolver, `nameserver ${DNS_HOST}\noptions timeout:1 attempts:1\n`);
    await using dns = await DnsServer.open(DNS_HOST, DNS_PORT);
    await using first = await RoleProcess.storing('d1');
    await using second = await RoleProcess.storing('d2');
    await Promise.all([first.start(), second.start()]);
    const portOf = ({ address }: RoleProcess): number => Number(address.split(':')[1]);
    dns.addresses.set('d1.traces.test', ['127.0.0.1']).set('d2.traces.test', ['127.0.0.1']);
    dns.services.set(SERVICE, [{ target: 'd1.traces.test', port: portOf(first) }]);

    const through = withResolver(resolver);
    await using bySrv = await RoleProcess.inFront('insert', `dns+srv:${SERVICE}`, [], through);
    const name = `dns:d1.traces.test:${portOf(first)}`;
    const flags = ['-storageNode.forgetAfter=0s'];
    await using byName = await RoleProcess.inFront('select', name, flags, through);
    await Promise.all([bySrv.start(), byName.start()]);
    const nodesOf = async ({ url }: RoleProcess): Promise<string[]> => {
      const text = await (await fetch(`${url}/metrics`)).text();
      const up = text.matchAll(/^vt_insert_remote_is_reachable\{[^}]*node="([^"]+)"[^}]*\} 1$/gm);
      return [...up].map(([, node]) => node!).sort();
    };
    await waitFor('the one node', async () => (await nodesOf(bySrv)).join() === 'd1');
    const headers = { 'content-type': 'application/x-protobuf' };
    const body = Buffer.from(encodeRequest(oneSpan(1)));
    expect((await fetch(`${bySrv.url}/v1/traces`, { method: 'POST', headers, body })).status).toBe(200);
    const services = await (await fetch(`${byName.url}/api/services`)).text();
    expect((JSON.parse(services) as { total: number }).total).toBe(1);

    // A second target, by which alone the node is then known.
    dns.services.set(SERVICE, [
      { target: 'd1.traces.test', port: portOf(first) },
      { target: 'd2.traces.test', port: portOf(second) },
    ]);
    await waitFor('both nodes', async () => (await nodesOf(bySrv)).join() === 'd1,d2');
    // A node that DNS lists no more may be restarting, and is waited for; a DNS that does not answer changes nothing.
    dns.services.set(SERVICE, [{ target: 'd2.traces.test', port: portOf(second) }]);
    const asked = dns.asked.length;
    await waitFor('two more answers', () => dns.asked.slice(asked).filter((each) => each === SERVICE).length > 1);
    expect(await nodesOf(bySrv)).toEqual(['d1', 'd2']);
    dns.services.delete(SERVICE);
    await waitFor('a line about it', () => bySrv.log().includes('storage nodes cannot be looked up'));
    expect(await nodesOf(bySrv)).toEqual(['d1', 'd2']);

    // The name leads to an address where nobody listens, and back: its node is forgotten at once, as the flag says, and found again.
    dns.addresses.set('d1.traces.test', ['127.0.0.2']);
    await waitFor('the refusal', async () => (await fetch(`${byName.url}/api/services`)).status === 503);
    dns.addresses.set('d1.traces.test', ['127.0.0.1']);
    await waitFor('the answer', async () => (await fetch(`${byName.url}/api/services`)).status === 200);
  },
);
