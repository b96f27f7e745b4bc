// A Tracelith node of this checkout as a child process, started by the repository's own start command on free ports.
import { setTimeout as delay } from 'node:timers/promises';
import { Child, findFreePort } from './child.ts';
import { HttpClient } from './http-client.ts';

export interface NodeOptions {
  readonly dataPath: string;
  /** Also listen for OTLP/gRPC. */
  readonly grpc: boolean;
  /** Further flags, for example ['-retentionPeriod=30d']. */
  readonly flags?: readonly string[];
}

export interface NodeProcess {
  readonly child: Child;
  /** http://127.0.0.1:<port> */
  readonly url: string;
  /** host:port, empty without gRPC. */
  readonly grpcAddress: string;
  /** From spawn to the first 200 of /health. */
  readonly startMs: number;
}

/** What `npm start` runs, without npm in between: its environment and flags for Node belong to what is measured. */
export const launcher = new URL('../../deploy/tracelith', import.meta.url).pathname;

const startTimeoutMs = 120_000;

/** Resolves when /health answers 200. Throws with the node's last output when it does not in time. */
export async function startNode(options: NodeOptions): Promise<NodeProcess> {
  const { flags = [] } = options;
  const httpPort = await findFreePort();
  const grpcAddress = options.grpc ? `127.0.0.1:${await findFreePort()}` : '';
  const startedMs = performance.now();
  const child = await Child.start(launcher, [
    `-storageDataPath=${options.dataPath}`,
    `-httpListenAddr=127.0.0.1:${httpPort}`,
    `-otlpGRPCListenAddr=${grpcAddress}`,
    '-grpc.listenAddr=',
    ...(flags.some((flag) => flag.startsWith('-otlpHTTPListenAddr=')) ? [] : ['-otlpHTTPListenAddr=']),
    ...flags,
  ]);
  const url = `http://127.0.0.1:${httpPort}`;
  await waitUntilHealthy(child, url);
  return { child, url, grpcAddress, startMs: performance.now() - startedMs };
}

/** Throws with the last output of the process when it does not answer in time. */
export async function waitUntilHealthy(child: Child, url: string): Promise<void> {
  using client = new HttpClient(url, 1);
  const deadlineMs = performance.now() + startTimeoutMs;
  while (performance.now() < deadlineMs && child.isRunning) {
    const status = await client.get('/health').then(
      (reply) => reply.status,
      () => 0, // not listening yet
    );
    if (status === 200) return;
    await delay(20);
  }
  const why = child.isRunning ? `no 200 from ${url}/health within ${startTimeoutMs} ms` : 'the process ended';
  await child.stop();
  throw new Error(`the node did not start: ${why}; its last output:\n${child.output}`);
}
