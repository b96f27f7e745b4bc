// Flags of what the node tells others about itself: pushed metrics (names as in VictoriaMetrics), and its own traces.
import { flag } from '../base/flag-row.ts';
import { boolean, choice, duration, type FlagKind } from '../base/flag-value.ts';
import { StoreError } from '../base/errors.ts';

/** prometheus: text, as at /metrics. otlp: ExportMetricsServiceRequest as JSON. */
export const PUSH_FORMATS = ['prometheus', 'otlp'] as const;

function refuse(expected: string, got: string): never {
  throw new StoreError('CONFIG', `expected ${expected}, got ${JSON.stringify(got.slice(0, 60))}`);
}

/** URLs of http or https, separated by commas; empty: none. */
export const httpUrls: FlagKind<readonly string[]> = {
  unit: 'URLs',
  parse: (value) => {
    const urls = value === '' ? [] : value.split(',').map((url) => url.trim());
    for (const url of urls) if (!isHttpUrl(url)) refuse('URLs such as http://127.0.0.1:8428/path', url);
    return Object.freeze(urls);
  },
};

function isHttpUrl(url: string): boolean {
  return URL.canParse(url) && ['http:', 'https:'].includes(new URL(url).protocol);
}

/** `name="value",other="value"`, as labels of a metric are written; quotes may be left out. */
const labels: FlagKind<Readonly<Record<string, string>>> = {
  unit: 'labels',
  parse: (value) => {
    if (value === '') return Object.freeze({});
    const found = value.split(',').map((pair) => {
      const [, name, text] = /^\s*([a-zA-Z_]\w*)="?([^"]*)"?\s*$/.exec(pair) ?? [];
      return name === undefined ? refuse('labels such as instance="a",job="b"', value) : [name, text];
    });
    return Object.freeze(Object.fromEntries(found) as Record<string, string>);
  },
};

/** `Name: value`, several separated by `^^`; by name in lower case. */
export const httpHeaders: FlagKind<Readonly<Record<string, string>>> = {
  unit: 'HTTP headers',
  parse: (value) => {
    if (value === '') return Object.freeze({});
    const found = value.split('^^').map((line) => {
      const [, name, text] = /^([\w!#$%&'*+.^`|~-]+):\s*([\x20-\x7e]*)$/.exec(line.trim()) ?? [];
      return name === undefined
        ? refuse('a header such as Authorization: Bearer abc', value)
        : [name.toLowerCase(), text];
    });
    return Object.freeze(Object.fromEntries(found) as Record<string, string>);
  },
};

/** An URL of http or https, `self`, or empty. */
const tracesUrl: FlagKind<string> = {
  unit: 'URL or self',
  parse: (value) =>
    value === '' || value === 'self' || isHttpUrl(value)
      ? value
      : refuse('self, or a URL such as http://127.0.0.1:4318/v1/traces', value),
};

/** From 0 to 1. */
const ratio: FlagKind<number> = {
  unit: 'ratio',
  parse: (value) => {
    const number = /^\d*\.?\d+$/.test(value) ? Number(value) : NaN;
    return number >= 0 && number <= 1 ? number : refuse('a number from 0 to 1', value);
  },
};

export const pushFlags = {
  pushUrls: flag('watch', 'pushmetrics.url', httpUrls, {
    default: '',
    meaning:
      'Where the metrics of /metrics are pushed to, with commas: VictoriaMetrics at `/api/v1/import/prometheus`, or with -pushmetrics.format=otlp a Collector at `/v1/metrics`. Empty: nowhere.',
    reason: 'Most scrape; a push is for nodes that no scraper reaches.',
    example: '-pushmetrics.url=http://127.0.0.1:8428/api/v1/import/prometheus',
    isSecret: true,
  }),
  pushIntervalMs: flag('watch', 'pushmetrics.interval', duration({ min: '1s', max: '1h' }), {
    default: '10s',
    meaning: 'How often metrics are pushed, and how long one push may take. A last one is made when the process ends.',
    reason: 'As in VictoriaMetrics.',
    example: '-pushmetrics.interval=30s',
  }),
  pushLabels: flag('watch', 'pushmetrics.extraLabel', labels, {
    default: '',
    meaning: 'Labels that each pushed metric gets, with commas; over OTLP attributes of the resource.',
    reason: 'A scraper adds `instance` and `job`; a node that pushes says it itself.',
    example: '-pushmetrics.extraLabel=instance="eu-1",job="tracelith"',
  }),
  pushHeaders: flag('watch', 'pushmetrics.header', httpHeaders, {
    default: '',
    meaning: 'HTTP headers of each push, `Name: value`, several with `^^` between them.',
    reason: 'None is needed on a network of your own.',
    example: '-pushmetrics.header=Authorization: Bearer abc',
    isSecret: true,
  }),
  isPushPlain: flag('watch', 'pushmetrics.disableCompression', boolean, {
    default: 'false',
    meaning: 'Push metrics without gzip.',
    reason: 'As in VictoriaMetrics.',
    example: '-pushmetrics.disableCompression',
  }),
  pushFormat: flag('watch', 'pushmetrics.format', choice(PUSH_FORMATS), {
    default: 'prometheus',
    meaning:
      'Prometheus text, as VictoriaMetrics imports it, or OTLP metrics (JSON), as Collectors and Prometheus receive them.',
    reason: 'VictoriaMetrics has no such flag: it pushes Prometheus text.',
    example: '-pushmetrics.format=otlp',
  }),
  selfTracingUrl: flag('watch', 'selfTracing.url', tracesUrl, {
    default: '',
    meaning:
      'Where the node sends traces of its own requests, queries, flushes and merges: `self` for its own store (tenant 0:0, service tracelith), or the URL of an OTLP/HTTP receiver. Empty: it traces nothing.',
    reason: 'Who does not look at them should not pay for them.',
    example: '-selfTracing.url=self',
    isSecret: true,
  }),
  selfTracingRatio: flag('watch', 'selfTracing.ratio', ratio, {
    default: '0.1',
    meaning: 'Share of these traces that is sent.',
    reason: 'A span for each request of a busy node is much, and every tenth shows what the others do.',
    example: '-selfTracing.ratio=1',
  }),
  selfTracingHeaders: flag('watch', 'selfTracing.header', httpHeaders, {
    default: '',
    meaning: 'HTTP headers of each export, as in -pushmetrics.header.',
    reason: 'A receiver on the same machine needs none.',
    example: '-selfTracing.header=Authorization: Bearer abc',
    isSecret: true,
  }),
} as const;
