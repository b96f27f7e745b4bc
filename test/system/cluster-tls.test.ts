// TLS between the nodes of a cluster, with certificates that openssl makes: what fits is taken, and whatever does not fit is refused
// with a sentence that says what to do.
import { copyFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasOpenssl, MadeCertificates, type MadeCertificate } from '../support/made-certificates.ts';
import { runProgram } from '../support/node-process.ts';
import { oneSpan } from '../support/one-span.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { RoleProcess, waitFor } from '../support/role-process.ts';

describe.skipIf(!hasOpenssl)('TLS between nodes (openssl makes the certificates)', { timeout: 300_000 }, () => {
  let authority: MadeCertificates;
  let stranger: MadeCertificates;
  let server: MadeCertificate;
  let store: RoleProcess;

  beforeAll(async () => {
    authority = new MadeCertificates();
    stranger = new MadeCertificates();
    server = authority.make('DNS:storage.example,DNS:localhost');
    store = await RoleProcess.storing('t1', false, storageTls(server, authority));
    await store.start();
  }, 300_000);
  afterAll(async () => {
    await store[Symbol.asyncDispose]();
    authority[Symbol.dispose]();
    stranger[Symbol.dispose]();
  });

  function storageTls({ certFile, keyFile }: MadeCertificate, clients?: MadeCertificates): string[] {
    const own = ['-storage.tls', `-storage.tlsCertFile=${certFile}`, `-storage.tlsKeyFile=${keyFile}`];
    return clients === undefined ? own : [...own, '-storage.mtls', `-storage.mtlsCAFile=${clients.caFile}`];
  }

  const clientTls = (caFile: string, client?: MadeCertificate, serverName = 'storage.example'): string[] => [
    '-storageNode.tls',
    `-storageNode.tlsCAFile=${caFile}`,
    ...(client === undefined
      ? []
      : [`-storageNode.tlsCertFile=${client.certFile}`, `-storageNode.tlsKeyFile=${client.keyFile}`]),
    ...(serverName === '' ? [] : [`-storageNode.tlsServerName=${serverName}`]),
  ];

  /** What an insert node logs of a storage node that it cannot use, and says to a sender. */
  async function refusalOf(node: RoleProcess, flags: readonly string[]): Promise<string> {
    await using insert = await RoleProcess.inFront('insert', node.address, flags);
    await insert.start();
    await waitFor('a line about the node', () => insert.log().includes('a storage node is down'));
    const line = insert
      .log()
      .split('\n')
      .find((each) => each.includes('a storage node is down'))!;
    const body = Buffer.from(encodeRequest(oneSpan(1)));
    const headers = { 'content-type': 'application/x-protobuf' };
    const reply = await fetch(`${insert.url}/v1/traces`, { method: 'POST', headers, body });
    expect([reply.status, await reply.text()]).toEqual([503, expect.stringContaining('no storage node takes')]);
    return line;
  }

  test('spans are written and read, and a renewed certificate is taken up', async () => {
    const client = authority.make('DNS:insert.example');
    const flags = clientTls(authority.caFile, client);
    await using insert = await RoleProcess.inFront('insert', store.address, flags);
    await using select = await RoleProcess.inFront('select', store.address, flags);
    await Promise.all([insert.start(), select.start()]);
    const send = async (n: number): Promise<number> => {
      const headers = { 'content-type': 'application/x-protobuf' };
      const body = Buffer.from(encodeRequest(oneSpan(n)));
      return (await fetch(`${insert.url}/v1/traces`, { method: 'POST', headers, body })).status;
    };
    expect(await send(1)).toBe(200);
    expect((await fetch(`${select.url}/api/services`)).status).toBe(200);
    // The authority itself is a new one: only who has read the new file can connect.
    using renewed = new MadeCertificates();
    copyFileSync(renewed.caFile, authority.caFile);
    authority.replace(server, renewed.make('DNS:storage.example'));
    authority.replace(client, renewed.make('DNS:insert.example'));
    await waitFor('the storage node to take it up', () => store.log().match(/a certificate is in use/g)!.length > 1);
    await store.signal('SIGTERM');
    await store.start();
    await waitFor('spans to be taken again', async () => (await send(2)) === 200);
  });

  test('the wrong authority, name, certificate and protocol are named with what to do', async () => {
    using own = new MadeCertificates();
    const made = own.make('DNS:storage.example');
    await using node = await RoleProcess.storing('t2', false, storageTls(made, own));
    await node.start();
    const client = own.make('DNS:insert.example');
    expect(await refusalOf(node, clientTls(stranger.caFile, client))).toContain(
      'name that authority in -storageNode.tlsCAFile',
    );
    expect(await refusalOf(node, clientTls(own.caFile, client, 'other.example'))).toContain(
      'set -storageNode.tlsServerName to one of its names',
    );
    expect(await refusalOf(node, clientTls(own.caFile))).toContain('set -storageNode.tlsCertFile to one');
    expect(await refusalOf(node, clientTls(own.caFile, stranger.make('DNS:insert.example')))).toContain(
      'set -storageNode.tlsCertFile to one',
    );
    await using plain = await RoleProcess.storing('t3');
    await plain.start();
    expect(await refusalOf(plain, clientTls(own.caFile, client))).toContain('give it -storage.tls');
    expect(await refusalOf(node, [])).toContain('set -storageNode.tls');
  });

  test('a certificate that has expired is named so', async () => {
    using own = new MadeCertificates();
    await using node = await RoleProcess.storing('t4', false, storageTls(own.make('DNS:storage.example', -1)));
    await node.start();
    expect(await refusalOf(node, clientTls(own.caFile))).toContain('renew its -storage.tlsCertFile');
  });

  test('flags that do not fit together, and files that are none, end the start', async () => {
    const nodes = [
      '-storageNode=127.0.0.1:1',
      '-select.disable',
      '-httpListenAddr=127.0.0.1:0',
      '-otlpGRPCListenAddr=',
    ];
    for (const [flags, text] of [
      [['-storageNode.tlsCAFile=/nowhere'], '-storageNode.tlsCAFile needs -storageNode.tls'],
      [['-storageNode.tls', '-storageNode.tlsKeyFile=/nowhere'], 'need each other'],
      [['-storageNode.tls', '-storageNode.tlsCAFile=/nowhere'], '/nowhere'],
      [['-storageNode.tls', `-storageNode.tlsCAFile=${import.meta.filename}`], '-storageNode.tls: '],
    ] as const) {
      const { exitCode, output } = await runProgram([...nodes, ...flags]);
      expect([exitCode, output]).toEqual([2, expect.stringContaining(text)]);
    }
  });
});
