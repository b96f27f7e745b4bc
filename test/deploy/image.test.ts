// The image, built by deploy/Dockerfile and run: as no root, on a root file system that it cannot write to, without capabilities. It
// takes a trace, keeps it over another container, says its health, runs the tools and ends by SIGTERM; and it starts from the Compose
// files. Needs root, buildah, podman, a kernel that lets containers start, and the base images of test/deploy/tools/base-images.sh; for
// Compose also podman-compose, netavark and aardvark-dns.
import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Child, findFreePort } from '../../native-bench/harness/child.ts';
import { ComposeProject, hasCompose } from '../support/compose-project.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { oneSpan } from '../support/one-span.ts';
import { hasProgram, run, version } from '../support/repository-copy.ts';
import { root } from '../support/source-tree.ts';

const [NODE, BASE] = ['localhost/tracelith-test/node', 'localhost/tracelith-test/base'];
const IMAGE = 'localhost/tracelith-test/tracelith';
const USER = 10001;
// Debian's crun refuses a machine with both kinds of cgroups; runc takes each.
const RUNTIME = hasProgram('runc', '--version') ? ['--runtime=runc'] : [];
/** As tight as deploy/compose/compose.yaml and the charts; the limits are those that any machine may set. */
const TIGHT = [
  '--read-only --read-only-tmpfs=false --cap-drop=ALL --security-opt=no-new-privileges --init --network=host --rm',
  '--no-healthcheck --ulimit=nofile=8192:8192 --ulimit=nproc=4096:4096',
].flatMap((options) => options.split(' '));

// Not every kernel lets containers start.
const canRun =
  hasProgram('buildah', '--version') &&
  [NODE, BASE].every((image) => hasProgram('podman', ...RUNTIME, 'run', ...TIGHT, image, 'true'));

function runImage(...args: readonly string[]): string {
  return run(root, 'podman', ...RUNTIME, 'run', ...TIGHT, ...args);
}

describe.skipIf(!canRun)('the image', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tracelith-image-'));
  const data = join(folder, 'data');

  beforeAll(() => {
    mkdirSync(data);
    chownSync(data, USER, USER);
    const bases = [`--build-arg=NODE_IMAGE=${NODE}`, `--build-arg=BASE_IMAGE=${BASE}`];
    // buildah writes its steps to stderr, for whoever looks at a failure.
    execFileSync(
      'buildah',
      [...RUNTIME, 'bud', '--format=docker', '--network=host', ...bases, '-f', 'deploy/Dockerfile', '-t', IMAGE, '.'],
      {
        cwd: root,
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
  }, 600_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('has no npm, no compiler, no root, and a health check', () => {
    const [inspected] = JSON.parse(run(root, 'podman', 'image', 'inspect', IMAGE)) as [
      { Config: object; Healthcheck: object },
    ];
    expect(inspected).toMatchObject({
      Config: { User: '10001:10001', Volumes: { '/data': {} } },
      Healthcheck: { Test: ['CMD', 'node', '/app/healthcheck.mjs'] },
    });
    const look = 'id -u; ls /app/node_modules/typescript; command -v npm tsc; true';
    const found = runImage('--entrypoint=sh', IMAGE, '-c', look);
    expect(found).toBe('10001\n');
  });

  test('runs a tool, and refuses a wrong flag with exit code 2', () => {
    expect(runImage(IMAGE, '-version')).toBe(`tracelith ${version}\n`);
    expect(() => runImage(IMAGE, '-retentionPeriods=7d')).toThrow(/did you mean -retentionPeriod/);
    expect(() => runImage(IMAGE, 'verify', '/nowhere')).toThrow(/\/nowhere/);
  });

  test('takes a trace, is healthy, ends by SIGTERM with 0, and finds the trace again in another container', async () => {
    const port = await findFreePort();
    const url = `http://127.0.0.1:${port}`;
    const off = ['otlpGRPCListenAddr', 'otlpHTTPListenAddr', 'grpc_listenAddr'].map(
      (name) => `--env=TRACELITH_${name}=`,
    );
    const health = `--env=HEALTH_URL=${url}/health`;
    const start = async (): Promise<Child> => {
      const flags = [`-httpListenAddr=127.0.0.1:${port}`, '-retentionPeriod=30d'];
      const options = [...TIGHT, ...off, health, '--name=tracelith-test', `--volume=${data}:/data`];
      const child = await Child.start('podman', [...RUNTIME, 'run', ...options, IMAGE, ...flags]);
      await until(child, async () => (await fetch(`${url}/health`)).status === 200);
      return child;
    };
    let child = await start();
    try {
      const body = Buffer.from(encodeRequest(oneSpan(1)));
      const reply = await fetch(`${url}/v1/traces`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-protobuf' },
        body,
      });
      expect(reply.status, await reply.text()).toBe(200);
      expect(await (await fetch(`${url}/flags`)).text()).toContain('-retentionPeriod="30d"');
      expect(run(root, 'podman', 'exec', 'tracelith-test', 'node', '/app/healthcheck.mjs')).toBe('');
      expect(await child.stop()).toBe(0);
      child = await start();
      const found = await fetch(`${url}/api/traces/${'1'.padStart(32, '0')}`);
      expect(found.status, await found.text()).toBe(200);
    } finally {
      expect(await child.stop(), child.output).toBe(0);
    }
  });

  describe.skipIf(!hasCompose)('by Compose', () => {
    const own = { tracelith: IMAGE };
    const send = async (url: string): Promise<number> => {
      const body = Buffer.from(encodeRequest(oneSpan(1)));
      const headers = { 'content-type': 'application/x-protobuf' };
      return (await fetch(`${url}/v1/traces`, { method: 'POST', headers, body })).status;
    };
    const find = async (url: string): Promise<number> =>
      (await fetch(`${url}/api/traces/${'1'.padStart(32, '0')}`)).status;

    test('the node of compose.yaml takes a trace, and has it when it is made anew', { timeout: 600_000 }, async () => {
      await using project = await ComposeProject.start('compose.yaml', own);
      const url = project.url(10428);
      const isHealthy = async (): Promise<boolean> => (await fetch(`${url}/health`)).status === 200;
      await project.until(isHealthy);
      expect(await send(url)).toBe(200);
      project.down();
      project.up();
      await project.until(isHealthy);
      expect(await find(url)).toBe(200);
    });

    const others = { nats: 'nats-server', haproxy: 'haproxy' };
    const hasOthers = Object.values(others).every((program) => hasProgram('sh', '-c', `command -v ${program}`));
    test.skipIf(!hasOthers)(
      'the cluster of log.yaml takes a trace, and answers it without a server of the log and a storage node',
      { timeout: 900_000 },
      async () => {
        const images = Object.entries(others).map(([name, program]) => {
          const image = `localhost/tracelith-test/${name}`;
          const config = name === 'haproxy' ? ['-f', '/usr/local/etc/haproxy/haproxy.cfg'] : [];
          run(root, 'test/deploy/tools/program-image.sh', image, program, ...config);
          return [`docker.io/library/${name}`, image];
        });
        await using project = await ComposeProject.start('log.yaml', { ...own, ...Object.fromEntries(images) });
        const url = project.url(8427);
        await project.until(async () => (await send(url)) === 200);
        await project.until(async () => (await find(url)) === 200);
        for (const service of ['nats-1', 'b-0']) project.stopService(service);
        await project.until(async () => (await find(url)) === 200);
        await project.until(async () => (await send(url)) === 200);
      },
    );
  });
});

/** Throws with the container's log when it ends, or is not ready in time. */
async function until(child: Child, isDone: () => Promise<boolean>): Promise<void> {
  for (let asked = 0; asked < 300 && child.isRunning; asked++) {
    if (await isDone().catch(() => false)) return;
    await delay(100);
  }
  await child.stop();
  throw new Error(`the container is not ready:\n${child.output}`);
}
