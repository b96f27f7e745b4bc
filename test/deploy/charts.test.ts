// The Helm charts: what they render is valid Kubernetes, flags that the program knows, and the plain manifests beside them; every
// value is described. Needs helm; against Kubernetes' schemas with kubeconform and KUBERNETES_SCHEMAS (kubeconform's -schema-location).
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import { flagTable } from '../../src/config.ts';
import { runProgram } from '../support/node-process.ts';
import { hasProgram, run } from '../support/repository-copy.ts';
import { root } from '../support/source-tree.ts';
import { parseManifests, readYaml, type Manifest } from '../support/yaml-files.ts';

const CHARTS = ['tracelith-single', 'tracelith-cluster'] as const;
/** A helm that `go install` has built takes Kubernetes for an ancient one. */
const KUBERNETES = ['--kube-version', '1.33.0'];
const hasHelm = hasProgram('helm', 'version');
const schemas = process.env['KUBERNETES_SCHEMAS'];
const canValidate = hasHelm && schemas !== undefined && hasProgram('kubeconform', '-v');

/** Where an OpenID issuer is. */
const EGRESS = [
  ['networkPolicy.egressTo[0].to[0].ipBlock.cidr', '192.0.2.0/24'],
  ['networkPolicy.egressTo[0].ports[0].port', '443'],
] as const;
/** Everything that a chart can make, on. */
const ALL_ON = [
  ['ingress.enabled', 'true'],
  ['httpRoute.enabled', 'true'],
  ['httpRoute.parentRefs[0].name', 'gateway'],
  ['httpRoute.hostnames[0]', 'traces.example.com'],
  ['networkPolicy.enabled', 'true'],
  ['networkPolicy.ingressFrom[0].namespaceSelector.matchLabels.team', 'shop'],
  ...EGRESS,
  ['serviceMonitor.enabled', 'true'],
  ['vmServiceScrape.enabled', 'true'],
  ['envFrom[0].secretRef.name', 'keys'],
  ['auth.existingSecret', 'logins'],
  ['serviceMonitor.tokenSecret.name', 'scrape'],
  ['vmServiceScrape.tokenSecret.name', 'scrape'],
  ['image.digest', `sha256:${'0'.repeat(64)}`],
] as const;
const CLUSTER_ON = [
  ['auth.storageTokenSecret.name', 'storage'],
  ['insert.autoscaling.enabled', 'true'],
  ['select.autoscaling.enabled', 'true'],
  ['networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.team', 'monitoring'],
] as const;
const LOG_ON = [
  ['log.enabled', 'true'],
  ['log.address', 'tls://nats.tracing.svc:4222'],
  ['log.monitor', 'http://nats-0.nats-headless:8222\\,http://nats-1.nats-headless:8222'],
  ['log.zones[0].name', 'a'],
  ['log.zones[0].nodeSelector.zone', 'eu-1'],
  ['log.zones[1].name', 'b'],
  ['log.zones[1].hold', 'true'],
  ['log.zones[2].name', 'c'],
  ['log.zones[2].replicas', '4'],
  ['log.loginSecret.name', 'nats-login'],
  ['log.caSecret.name', 'nats-ca'],
] as const;
const SINGLE_ON = [['podDisruptionBudget.enabled', 'true']] as const;
const WITHOUT_PROXY = [['proxy.enabled', 'false']] as const;

function render(chart: string, values: readonly (readonly [string, string])[] = []): string {
  const set = values.flatMap(([name, value]) => ['--set', `${name}=${value}`]);
  return run(
    root,
    'helm',
    'template',
    'tracelith',
    `deploy/helm/${chart}`,
    '--namespace',
    'tracing',
    ...KUBERNETES,
    ...set,
  );
}

const RENDERINGS = [
  ['tracelith-single', 'with its defaults', []],
  ['tracelith-single', 'with everything on', [...ALL_ON, ...SINGLE_ON]],
  ['tracelith-single', 'without a volume', [['persistence.enabled', 'false']]],
  ['tracelith-cluster', 'with its defaults', []],
  ['tracelith-cluster', 'with everything on', [...ALL_ON, ...CLUSTER_ON]],
  ['tracelith-cluster', 'with a log', LOG_ON],
  ['tracelith-cluster', 'with a log and everything on', [...ALL_ON, ...CLUSTER_ON, ...LOG_ON]],
  ['tracelith-cluster', 'without its proxy', [...ALL_ON, ...CLUSTER_ON, ...WITHOUT_PROXY]],
] as const;

describe('every chart', () => {
  test.each(CHARTS)('%s has the version of the program', (chart) => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    expect(readYaml(`deploy/helm/${chart}/Chart.yaml`)).toMatchObject({ version, appVersion: version });
  });

  test('describes each of its values: README.md is made from the schema and the defaults', () => {
    expect(run(root, 'node', 'deploy/helm/describe-values.mjs', '--check')).toBe('');
  });
});

describe.skipIf(!hasHelm)('rendered by helm', () => {
  test.each(CHARTS)('%s passes helm lint', (chart) => {
    expect(run(root, 'helm', 'lint', '--strict', ...KUBERNETES, `deploy/helm/${chart}`)).toContain('0 chart(s) failed');
  });

  test.each(RENDERINGS)(
    '%s %s: every object is named, its pods have what its selectors look for',
    (chart, _how, values) => {
      const manifests = parseManifests(render(chart, values));
      const names = manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
      expect(new Set(names).size).toBe(names.length);
      const pods = manifests.filter(({ kind }) => ['StatefulSet', 'Deployment'].includes(kind));
      const labels = pods.map(({ spec }) => spec.template.metadata.labels as Record<string, string>);
      for (const { kind, metadata, spec } of manifests) {
        const selector: unknown =
          kind === 'Service' ? spec.selector : (spec?.selector?.matchLabels ?? spec?.podSelector?.matchLabels);
        if (selector === undefined || /Scrape|Monitor/.test(kind)) continue;
        const meant = labels.filter((own) =>
          Object.entries(selector as object).every(([key, value]) => own[key] === value),
        );
        expect(meant.length, `${kind} ${metadata.name} selects the pods of one workload`).toBe(1);
      }
    },
  );

  test.each(RENDERINGS)('%s %s: every flag of every container is one that the program has', (chart, _how, values) => {
    const known = new Set(flagTable.map(({ name }) => `-${name}`));
    const args = parseManifests(render(chart, values))
      .flatMap(containersOf)
      .flatMap(({ args = [] }) => args);
    expect(args.length).toBeGreaterThan(0);
    expect(args.map((arg) => arg.split('=')[0]).filter((name = '') => !known.has(name))).toEqual([]);
  });

  test.each([
    ['', CLUSTER_ON],
    [' with a log', [...CLUSTER_ON, ...LOG_ON]],
  ])('every container of the cluster%s has arguments that the program accepts together', async (_how, values) => {
    for (const { args = [] } of parseManifests(render('tracelith-cluster', values)).flatMap(containersOf)) {
      if (args.length > 0)
        expect(await runProgram([...args.map(asInPod), '-version']), args.join(' ')).toMatchObject({ exitCode: 0 });
    }
  });

  test.each(RENDERINGS)('%s %s: every port that something names is open in a container', (chart, _how, values) => {
    const manifests = parseManifests(render(chart, values));
    const open = new Set(manifests.flatMap(containersOf).flatMap(({ ports = [] }) => ports.map(({ name }) => name)));
    const named = manifests.flatMap(({ kind, spec }) => {
      if (kind === 'Service') return (spec.ports as { targetPort: string }[]).map(({ targetPort }) => targetPort);
      if (/Scrape|Monitor/.test(kind)) return (spec.endpoints as { port: string }[]).map(({ port }) => port);
      if (kind !== 'NetworkPolicy') return [];
      const rules = spec.ingress as { ports: { port: string }[] }[];
      return rules.flatMap(({ ports }) => ports.map(({ port }) => port));
    });
    expect(named.filter((name) => !open.has(name))).toEqual([]);
  });

  test.each(CHARTS)('%s refuses a misspelt value, and one of a wrong type', (chart) => {
    expect(() => render(chart, [['persistance.size', '1Gi']])).toThrow(/persistance/);
    expect(() => render(chart, [['image.pullPolicy', 'Sometimes']])).toThrow(/pullPolicy/);
  });

  test.each(RENDERINGS)(
    '%s %s: each policy lets a node out to what egressTo names, and the proxy not',
    (chart, _how, values) => {
      const egressTo = new Map<string, unknown[]>(
        parseManifests(render(chart, [...values, ['networkPolicy.enabled', 'true'], ...EGRESS]))
          .filter(({ kind }) => kind === 'NetworkPolicy')
          .map(({ metadata, spec }) => [metadata.name, spec.egress as unknown[]]),
      );
      expect(egressTo.size).toBeGreaterThan(0);
      for (const [name, rules] of egressTo) {
        const isNode = !name.endsWith('-proxy');
        expect(rules.some(isIssuer), name).toBe(isNode);
        expect(rules.some(isDns), `${name}: the issuer's name`).toBe(true);
      }
    },
  );

  test.each(CHARTS)('%s without egressTo: a node that stores opens no connection', (chart) => {
    const egress = parseManifests(render(chart, [['networkPolicy.enabled', 'true']]))
      .filter(({ kind, metadata }) => kind === 'NetworkPolicy' && /^tracelith(-storage)?$/.test(metadata.name))
      .map(({ spec }) => spec.egress as unknown);
    expect(egress).toEqual([[]]);
  });

  test('a route without a gateway says what is missing', () => {
    const route = [
      ['httpRoute.enabled', 'true'],
      ['auth.existingSecret', 'logins'],
    ] as const;
    expect(() => render('tracelith-single', route)).toThrow(/httpRoute.parentRefs: name the Gateway/);
  });

  test.each([
    ['tracelith-single', 'ingress.enabled', 'true'],
    ['tracelith-single', 'service.type', 'LoadBalancer'],
    ['tracelith-cluster', 'httpRoute.enabled', 'true'],
    ['tracelith-cluster', 'proxy.service.type', 'NodePort'],
  ])('%s with %s=%s and no logins is refused', (chart, name, value) => {
    const parent = ['httpRoute.parentRefs[0].name', 'gateway'] as const;
    expect(() => render(chart, [[name, value], parent])).toThrow(
      /nobody has to log in: name a Secret in auth.existingSecret/,
    );
    expect(render(chart, [[name, value], parent, ['auth.disabled', 'true']])).toContain('"-insecure=true"');
    const withLogins = render(chart, [[name, value], parent, ['auth.existingSecret', 'logins']]);
    expect(withLogins).toContain('"-auth.config=/etc/tracelith/auth/auth.json"');
    expect(withLogins).not.toContain('-insecure');
  });

  test('flags keep their values: large numbers, lists, booleans, texts', () => {
    const values = [
      ['flags.storage\\.minFreeDiskSpaceBytes', '10000000000'],
      ['flags.http\\.corsOrigins', '{https://a.example,https://b.example}'],
      ['flags.monitor\\.disable', 'true'],
      ['flags.search\\.maxQueryDuration', '1m'],
    ] as const;
    const args = parseManifests(render('tracelith-single', values))
      .flatMap(containersOf)
      .flatMap(({ args = [] }) => args);
    expect(args).toEqual([
      '-http.corsOrigins=https://a.example,https://b.example',
      '-insecure=true',
      '-monitor.disable=true',
      '-retentionPeriod=7d',
      '-search.maxQueryDuration=1m',
      '-storage.minFreeDiskSpaceBytes=10000000000',
      '-storageDataPath=/data/tracelith',
    ]);
  });

  test('a cluster of five lists five storage nodes, whether they are there or not', () => {
    const manifests = parseManifests(render('tracelith-cluster', [['storage.replicas', '5']]));
    const list = manifests.find(({ metadata }) => metadata.name.endsWith('-storage-nodes'))?.['data'][
      'storage-nodes'
    ] as string;
    expect(list.trim().split('\n')).toEqual(
      [0, 1, 2, 3, 4].map((at) => {
        const name = 'tracelith-storage';
        return `${name}-${at}.${name}.tracing.svc.cluster.local:10491`;
      }),
    );
  });

  test('with a log each zone has its pods, all are listed, and an upgrade can leave a zone as it is', () => {
    const manifests = parseManifests(render('tracelith-cluster', LOG_ON));
    const zones = manifests.filter(({ kind }) => kind === 'StatefulSet');
    expect(zones.map(({ metadata, spec }) => [metadata.name, spec.replicas, spec.template.spec.nodeSelector])).toEqual([
      ['tracelith-storage-a', 3, { zone: 'eu-1' }],
      ['tracelith-storage-b', 3, undefined],
      ['tracelith-storage-c', 4, undefined],
    ]);
    const places = zones
      .flatMap(containersOf)
      .map(({ args = [] }) => args.filter((arg) => /\.(zone|nodes)=/.test(arg)));
    expect(places).toEqual(
      ['a 3', 'b 3', 'c 4'].map((place) => {
        const [zone, nodes] = place.split(' ');
        return [`-ingestLog.nodes=${nodes}`, `-ingestLog.zone=${zone}`];
      }),
    );
    expect(zones.map(({ spec }) => spec.updateStrategy?.rollingUpdate?.partition)).toEqual([undefined, 3, undefined]);
    const list = manifests.find(({ metadata }) => metadata.name.endsWith('-storage-nodes'));
    expect(String(list?.['data']['storage-nodes']).trim().split('\n')).toHaveLength(10);
    const budgets = manifests.filter(
      ({ kind, metadata }) => kind === 'PodDisruptionBudget' && /storage/.test(metadata.name),
    );
    expect(budgets.map(({ spec }) => spec.selector.matchExpressions[1].values)).toEqual([
      ['storage-a', 'storage-b', 'storage-c'],
    ]);
  });

  test('a log without an address, or whose servers cannot prove what they promise, is refused', () => {
    const on = ['log.enabled', 'true'] as const;
    expect(() => render('tracelith-cluster', [on])).toThrow(/log.address: where the servers of the log are/);
    const address = ['log.address', 'nats://nats:4222'] as const;
    expect(() => render('tracelith-cluster', [on, address])).toThrow(/log.monitor: the monitoring addresses/);
    expect(render('tracelith-cluster', [on, address, ['log.trust', 'true']])).toContain('-ingestLog.trust=true');
  });

  test('the plain manifests are what the charts render', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tracelith-manifests-'));
    try {
      run(root, 'deploy/kubernetes/render.sh', folder);
      for (const chart of CHARTS) {
        const rendered = readFileSync(join(folder, `${chart}.yaml`), 'utf8');
        expect(
          readFileSync(join(root, `deploy/kubernetes/${chart}.yaml`), 'utf8'),
          'run deploy/kubernetes/render.sh',
        ).toBe(rendered);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

test.skipIf(!canValidate).each(RENDERINGS)('%s %s is valid by the schemas of Kubernetes', (chart, _how, values) => {
  const folder = mkdtempSync(join(tmpdir(), 'tracelith-manifests-'));
  try {
    writeFileSync(join(folder, 'all.yaml'), render(chart, values));
    const locations = (schemas ?? '').split(',').flatMap((place) => ['-schema-location', place]);
    const options = ['-strict', '-summary', '-output', 'json', '-verbose', '-ignore-missing-schemas'];
    const report = JSON.parse(run(folder, 'kubeconform', ...options, ...locations, 'all.yaml')) as Conformity;
    expect(report.summary).toMatchObject({ invalid: 0, errors: 0 });
    // The CRDs of the VictoriaMetrics operator come by no registry that this machine reaches.
    const unseen = report.resources.filter(({ status }) => status === 'statusSkipped').map(({ kind }) => kind);
    expect(unseen.filter((kind) => kind !== 'VMServiceScrape')).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.skipIf(!hasHelm || !hasProgram('haproxy', '-v'))('the proxy of the cluster is one that HAProxy takes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tracelith-haproxy-'));
  try {
    const proxy = parseManifests(render('tracelith-cluster')).find(
      ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name.endsWith('-proxy'),
    );
    writeFileSync(join(folder, 'haproxy.cfg'), proxy?.['data']['haproxy.cfg'] as string);
    expect(run(folder, 'haproxy', '-c', '-f', 'haproxy.cfg')).toContain('Configuration file is valid');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

interface Conformity {
  readonly summary: object;
  readonly resources: readonly { readonly kind: string; readonly status: string }[];
}

/** As Kubernetes puts a variable into an argument. */
function asInPod(arg: string): string {
  return arg.replace('$(POD_NAME)', 'tracelith-storage-0');
}

function isIssuer(rule: unknown): boolean {
  return isDeepStrictEqual(rule, { to: [{ ipBlock: { cidr: '192.0.2.0/24' } }], ports: [{ port: 443 }] });
}

function isDns(rule: unknown): boolean {
  const ports = ['UDP', 'TCP'].map((protocol) => ({ port: 53, protocol }));
  return isDeepStrictEqual(rule, { ports });
}

interface Container {
  readonly args?: readonly string[];
  readonly ports?: readonly { readonly name: string }[];
}

function containersOf({ kind, spec }: Manifest): Container[] {
  return ['StatefulSet', 'Deployment'].includes(kind) ? (spec.template.spec.containers as Container[]) : [];
}
