// Pushed metrics at the socket of a real receiver: what arrives, when a receiver fails, hangs or is gone, and the last push.
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { openPush, type MetricsPush, type PushConfig } from '../../../src/api/metrics/push-metrics.ts';
import { MetricRegistry } from '../../../src/api/metrics/metric-registry.ts';
import { createLogger } from '../../../src/base/logger.ts';
import { parseConfig } from '../../../src/config.ts';

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Answers with `status`; 0: never. */
class Receiver implements AsyncDisposable {
  readonly received: Received[] = [];
  status = 200;
  readonly #server: Server = createServer((request, response) => {
    void this.#answer(request, response);
  });

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const isPacked = request.headers['content-encoding'] === 'gzip';
    this.received.push({ headers: request.headers, text: String(isPacked ? gunzipSync(body) : body) });
    if (this.status !== 0) response.writeHead(this.status).end('no room');
  }

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/push?key=hunter2`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const outcomes: string[] = [];
const lines: string[] = [];
const opened: MetricsPush[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((push) => push.close()));
  outcomes.length = lines.length = 0;
});

function start(flags: readonly string[]): MetricsPush {
  const config: PushConfig = parseConfig(flags, {});
  const registry = new MetricRegistry();
  registry.counter({ name: 'sent_total', unit: 'spans', help: 'Sent', labels: ['path'] }).inc({ path: '/a' }, 7);
  const push = openPush(config, {
    render: async ({ write }) => write(await registry.collect()),
    count: (outcome) => void outcomes.push(outcome),
    logger: createLogger({ write: (line) => void lines.push(line) }),
    version: '1.2.3',
  });
  opened.push(push!);
  return push!;
}

test('without a URL nothing is pushed', () => {
  const nothing = { render: () => Promise.resolve(''), count: () => undefined, logger: createLogger({}), version: '' };
  expect(openPush(parseConfig([], {}), nothing)).toBeUndefined();
});

test('Prometheus text with labels and headers arrives in gzip, by the clock and at the end', async () => {
  await using receiver = await new Receiver().open();
  const push = start([
    `-pushmetrics.url=${receiver.url}`,
    '-pushmetrics.interval=1s',
    '-pushmetrics.extraLabel=instance="eu-1",path=ours',
    '-pushmetrics.header=Authorization: Bearer abc^^X-Scope: 7',
  ]);
  await expect.poll(() => receiver.received.length, { timeout: 10_000 }).toBeGreaterThan(1);
  const [{ headers, text } = { headers: {}, text: '' }] = receiver.received;
  // A metric's own label wins.
  expect(text).toBe('# HELP sent_total Sent\n# TYPE sent_total counter\nsent_total{instance="eu-1",path="/a"} 7\n');
  expect(headers).toMatchObject({
    'content-type': 'text/plain; version=0.0.4; charset=utf-8',
    'content-encoding': 'gzip',
    authorization: 'Bearer abc',
    'x-scope': '7',
  });
  await push.close();
  const atEnd = receiver.received.length;
  expect(outcomes).toEqual(Array.from({ length: atEnd }, () => 'ok'));
});

test('a login in the URL goes along as a header, unless a header is given, and into no line of the log', async () => {
  await using receiver = await new Receiver().open();
  const withLogin = receiver.url.replace('//', '//me:hunter2@');
  start([`-pushmetrics.url=${withLogin}`]);
  await expect.poll(() => receiver.received.length, { timeout: 10_000 }).toBe(1);
  start([`-pushmetrics.url=${withLogin}`, '-pushmetrics.header=Authorization: Bearer abc']);
  await expect.poll(() => receiver.received.length, { timeout: 10_000 }).toBe(2);
  const basic = `Basic ${Buffer.from('me:hunter2').toString('base64')}`;
  expect(receiver.received.map(({ headers }) => headers.authorization)).toEqual([basic, 'Bearer abc']);
  expect(lines).toEqual([]);
});

test('OTLP arrives as JSON with the labels on its resource, uncompressed if asked for', async () => {
  await using receiver = await new Receiver().open();
  start([
    `-pushmetrics.url=${receiver.url}`,
    '-pushmetrics.format=otlp',
    '-pushmetrics.extraLabel=instance=eu-1',
    '-pushmetrics.disableCompression',
  ]);
  await expect.poll(() => receiver.received.length, { timeout: 10_000 }).toBe(1);
  const { headers, text } = receiver.received[0]!;
  expect(headers).toMatchObject({ 'content-type': 'application/json' });
  expect(headers['content-encoding']).toBeUndefined();
  expect(JSON.parse(text)).toMatchObject({
    resourceMetrics: [
      {
        resource: {
          attributes: [
            { key: 'service.name', value: { stringValue: 'tracelith' } },
            { key: 'instance', value: { stringValue: 'eu-1' } },
          ],
        },
        scopeMetrics: [{ scope: { name: 'tracelith', version: '1.2.3' }, metrics: [{ name: 'sent_total' }] }],
      },
    ],
  });
});

test('a receiver that fails or hangs is logged once without its secrets, and delays no other', async () => {
  await using failing = await new Receiver().open();
  await using hanging = await new Receiver().open();
  await using good = await new Receiver().open();
  failing.status = 500;
  hanging.status = 0;
  const urls = [failing, hanging, good].map(({ url }) => url).join(',');
  start([`-pushmetrics.url=${urls}`, '-pushmetrics.interval=1s']);
  await expect.poll(() => good.received.length, { timeout: 20_000 }).toBeGreaterThan(2);
  const told = (): string[] => lines.filter((line) => line.includes('metrics cannot be pushed'));
  await expect.poll(told).toHaveLength(2);
  expect(told().join('')).toContain('HTTP 500 no room');
  failing.status = hanging.status = 204;
  await expect
    .poll(() => lines.filter((line) => line.includes('metrics are pushed again')), { timeout: 20_000 })
    .toHaveLength(2);
  expect(told()).toHaveLength(2);
  expect(lines.join('')).not.toContain('hunter2');
  expect(outcomes.filter((outcome) => outcome === 'failed').length).toBeGreaterThan(3);
}, 60_000);
