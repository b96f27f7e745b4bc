// Prints at the start of a whole run what it is and about how long it takes, and at its end what it has left out: tests that were skipped, with the reason, and the crash tests, which
// `npm test` never runs. What is green without having run would otherwise look like what has run.
import { readdirSync, readFileSync } from 'node:fs';
import type { Reporter, TestModule, TestSpecification } from 'vitest/node';

const root = new URL('../..', import.meta.url).pathname;
const CAPTURE = 'the capture of the OpenTelemetry demo is not beside this repository';
const SUITE = "Jaeger's storage suite is not beside this repository";
const LINUX = 'needs Linux (/proc)';
const TOOLS = 'needs rsync and curl';
const NATS = 'needs nats-server 2.10 or later (test/deploy/tools/get-nats.sh)';
const OPENSSL = 'needs openssl, which makes the certificates';

/** Why tests of a file may be skipped; left-out.test.ts holds it against the sources. */
export const SKIP_REASONS: Readonly<Record<string, string>> = {
  'test/api/access/listener-tls.test.ts': OPENSSL,
  'test/deploy/jaeger.test.ts': 'needs a Jaeger (JAEGER names its program)',
  'test/base/completion.test.ts': 'needs zsh',
  'test/block/block-round-trip.test.ts': CAPTURE,
  'test/conformance/browser.test.ts': 'needs builds of Jaeger UI in JAEGER_UI_DIR, and chromium',
  'test/conformance/discovery.test.ts': SUITE,
  'test/conformance/grpc.test.ts': `${SUITE}, or there is no Jaeger in JAEGER_DIR`,
  'test/conformance/jaeger-suite.test.ts': SUITE,
  'test/conformance/reply-shapes.test.ts': SUITE,
  'test/conformance/search.test.ts': SUITE,
  'test/crash/cluster-faults.test.ts': LINUX,
  'test/crash/log-faults.test.ts': `${LINUX}; ${NATS}`,
  'test/crash/log-grow.test.ts': NATS,
  'test/crash/small-container.test.ts': 'needs the right to make a memory cgroup',
  'test/crash/stopped-node.test.ts': LINUX,
  'test/deploy/charts.test.ts':
    'needs helm, kubeconform with KUBERNETES_SCHEMAS (test/deploy/tools/get-tools.sh), and haproxy',
  'test/deploy/cluster-chart.test.ts': 'needs helm, and nats-server for the log',
  'test/deploy/collector.test.ts':
    'needs an OpenTelemetry Collector in OTELCOL (test/deploy/tools/otelcol-builder.yaml)',
  'test/deploy/collector-logins.test.ts':
    'needs an OpenTelemetry Collector in OTELCOL (test/deploy/tools/otelcol-builder.yaml), and openssl',
  'test/deploy/collector-metrics.test.ts':
    'needs an OpenTelemetry Collector in OTELCOL (test/deploy/tools/otelcol-builder.yaml)',
  'test/deploy/compose.test.ts': 'needs the schema of the Compose specification in COMPOSE_SCHEMA',
  'test/deploy/image.test.ts':
    'needs buildah, podman that can run a container, and the images of test/deploy/tools/base-images.sh; for Compose podman-compose, netavark and aardvark-dns',
  'test/deploy/newcomer.test.ts': 'needs git, and a checkout with a commit',
  'test/deploy/systemd.test.ts': 'needs systemd-analyze',
  'test/disk/deleted-files.test.ts': LINUX,
  'test/disk/process-figures.test.ts': LINUX,
  'test/disk/thread-list.test.ts': LINUX,
  'test/disk/thread-state.test.ts': LINUX,
  'test/index/disk-full.test.ts': 'needs prlimit',
  'test/kafka/kafka-cluster.test.ts':
    'needs Kafka (test/deploy/tools/get-kafka.sh) and Java; one test a Collector in OTELCOL_KAFKA (test/deploy/tools/otelcol-kafka-builder.yaml)',
  'test/kafka/kafka-log.test.ts': 'needs Kafka (test/deploy/tools/get-kafka.sh) and Java',
  'test/native-bench/growth.test.ts': LINUX,
  'test/native-bench/shift-frames.test.ts': CAPTURE,
  'test/otlp/json-to-request.test.ts': CAPTURE,
  'test/otlp/traces-to-json.test.ts': SUITE,
  'test/storage/threaded-store.test.ts': LINUX,
  'test/system/archive.test.ts': TOOLS,
  'test/system/backup.test.ts': TOOLS,
  'test/system/cluster-dns.test.ts': 'needs root, for an /etc/resolv.conf of its own',
  'test/system/cluster-faults.test.ts': LINUX,
  'test/system/cluster-memory.test.ts': LINUX,
  'test/system/cluster-proxy.test.ts': 'needs haproxy or nginx',
  'test/system/cluster-tls.test.ts': OPENSSL,
  'test/system/disk-full.test.ts': 'needs the right to mount a small file system',
  'test/system/examples.test.ts': 'needs opentelemetry-sdk for Python (PYTHON names an interpreter that has it)',
  'test/system/first-page.test.ts': 'needs chromium (apt-get install chromium)',
  'test/system/flags.test.ts': OPENSSL,
  'test/system/trace-pages.test.ts': 'needs chromium (apt-get install chromium)',
  'test/contract/ingest-log.test.ts': NATS,
  'test/system/demo-log.test.ts': NATS,
  'test/system/ingest-log.test.ts': NATS,
  'test/system/log-cut-servers.test.ts': NATS,
  'test/system/log-faults.test.ts': `${LINUX}; ${NATS}`,
  'test/system/log-gap-filler.test.ts': NATS,
  'test/system/log-sync.test.ts': NATS,
  'test/system/pair.test.ts': 'needs an OpenTelemetry Collector in OTELCOL (test/deploy/tools/otelcol-builder.yaml)',
  'test/system/proxy.test.ts': 'needs haproxy or nginx',
  'test/system/restarted-nodes.test.ts': NATS,
  'test/system/round-trip.test.ts': CAPTURE,
  'test/system/stopped-node.test.ts': LINUX,
  'test/system/through-cluster.test.ts': 'needs haproxy; so do the projects cluster and cluster-rest',
  'test/system/tls.test.ts': OPENSSL,
  'test/system/watch.test.ts': 'needs promtool (Debian package prometheus), and nats-server for the rules of the log',
};

/** Behind the file of a test that ran through a cluster. */
const THROUGH_CLUSTER = ' through a cluster';
/** A run of so many files is a whole one: a single file need not be told of the others. */
const WHOLE_RUN_FILES = 50;

/** What a whole run does, by project, for who has never seen one. */
const PROJECTS: Readonly<Record<string, string>> = {
  unit: 'functions and modules, in one process',
  system: 'the real program, over its sockets, on real disks; packages, charts, pages in a browser',
  conformance: "what Jaeger's clients ask, check by check",
  crash: 'kills, power losses and faults of the disk',
};
/** Minutes on two cores that have something else to do too, by project: they tell whether to wait. */
const MINUTES: Readonly<Record<string, number>> = { unit: 6, system: 16, conformance: 3, crash: 25 };

export class LeftOut implements Reporter {
  onTestRunStart(specifications: readonly TestSpecification[]): void {
    if (specifications.length < WHOLE_RUN_FILES) return;
    const files = Map.groupBy(specifications, ({ project }) => project.name);
    const counts = new Map(Array.from(files, ([name, ofProject]) => [name, ofProject.length]));
    process.stdout.write(`${startLines(counts).join('\n')}\n`);
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const skipped = new Map<string, number>();
    for (const { relativeModuleId: file, children, project } of modules) {
      const count = Array.from(children.allTests('skipped')).length;
      const isAgain = project.name.startsWith('cluster');
      if (count > 0) skipped.set(isAgain ? `${file}${THROUGH_CLUSTER}` : file, count);
    }
    const isWhole = modules.length >= WHOLE_RUN_FILES;
    const hasCrash = modules.some(({ project }) => project.name === 'crash');
    const lines = [...skippedLines(skipped), ...(isWhole && !hasCrash ? crashLines() : [])];
    if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
  }
}

/** Numbers of test files by project → what is about to happen. */
export function startLines(files: ReadonlyMap<string, number>): string[] {
  const minutes = Array.from(files.keys(), (name) => MINUTES[name] ?? 0).reduce((sum, some) => sum + some, 0);
  const lines = Array.from(files, ([name, count]) => `  ${name}: ${count} files, ${PROJECTS[name] ?? ''}`);
  return [
    `tests, about ${minutes} minutes on two cores; what this machine lacks is skipped and named at the end:`,
    ...lines,
  ];
}

/** Counts by file, reasons behind them. */
export function skippedLines(skipped: ReadonlyMap<string, number>): string[] {
  const total = [...skipped.values()].reduce((sum, count) => sum + count, 0);
  if (total === 0) return [];
  const lines = [...skipped].map(([file, count]) => `  ${count} in ${file}: ${reasonOf(file)}`);
  return [`skipped: ${total} tests`, ...lines.sort()];
}

function reasonOf(file: string): string {
  const [own = '', again] = file.split(THROUGH_CLUSTER);
  const reason = SKIP_REASONS[own] ?? 'no reason is known';
  return again === undefined ? reason : `checks of one node alone (test/conformance/check.ts), or ${reason}`;
}

/** The crash tests, each with what its file says of it first. */
export function crashLines(): string[] {
  const folder = `${root}test/crash`;
  const files = readdirSync(folder).filter((name) => name.endsWith('.test.ts'));
  const lines = files.map((name) => {
    const head = readFileSync(`${folder}/${name}`, 'utf8').match(/^(\/\/.*\n)+/)?.[0] ?? '';
    return `  ${name}: ${head
      .replaceAll(/^\/\/ ?/gm, '')
      .replaceAll('\n', ' ')
      .trim()}`;
  });
  return ['left to npm run test:crash:', ...lines];
}
