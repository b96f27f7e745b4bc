// Says what a node needs for a load: node deploy/sizing.mjs --spans-per-second 5000 --retention-days 30
// The figures are those of docs/operations/sizing.md, measured with `npm run bench`; what they do not know is your spans.
import { parseArgs } from 'node:util';

const DAY_SECONDS = 86_400;
/** CPU of a span, flush and merges included: 7.7 µs at full load, 11.3 at 100,000 spans/s. */
const CPU_US_PER_SPAN = 11.3;
/** Written to disk for each byte that stays: log, flush, merges. */
const WRITE_AMPLIFICATION = 4.4;
/** Room for a merge, which writes its output before its inputs go, and for a day more than -retentionPeriod. */
const MERGE_ROOM = 1.2;
const MEMORY_AT_REST_MB = 220;
/** 280 MB at 10,000 spans/s and 800 MB at 100,000. */
const MEMORY_MB_PER_1000_SPANS_PER_SECOND = 6;

/** Throws when an option is no positive number. */
function readOptions() {
  const { values } = parseArgs({
    options: {
      'spans-per-second': { type: 'string' },
      'peak-factor': { type: 'string', default: '3' },
      'retention-days': { type: 'string', default: '7' },
      'bytes-per-span': { type: 'string', default: '25' },
      help: { type: 'boolean' },
    },
  });
  if (values.help || values['spans-per-second'] === undefined) {
    console.log(`node deploy/sizing.mjs --spans-per-second N [--peak-factor 3] [--retention-days 7] [--bytes-per-span 25]

  --spans-per-second N   the average of a day
  --peak-factor F        the busiest minute as a multiple of it
  --retention-days D     -retentionPeriod
  --bytes-per-span B     on disk: vt_data_size_bytes / vt_storage_rows of a running node`);
    process.exit(values.help ? 0 : 2);
  }
  const numberOf = (name) => {
    const value = Number(values[name]);
    if (!(value > 0)) throw new Error(`--${name} ${values[name]}: expected a number above 0`);
    return value;
  };
  return {
    rate: numberOf('spans-per-second'),
    peakFactor: numberOf('peak-factor'),
    days: numberOf('retention-days'),
    bytesPerSpan: numberOf('bytes-per-span'),
  };
}

function main() {
  const { rate, peakFactor, days, bytesPerSpan } = readOptions();
  const peak = rate * peakFactor;
  const stored = rate * DAY_SECONDS * (days + 1) * bytesPerSpan;
  const rows = [
    ['spans kept', round(rate * DAY_SECONDS * (days + 1)), 'of whole days, one more than the retention'],
    ['disk', gigabytes(stored * MERGE_ROOM), `${gigabytes(stored)} stored, the rest for merges`],
    [
      'written to disk',
      `${round(rate * bytesPerSpan * WRITE_AMPLIFICATION)} B/s`,
      'the average, for the endurance of the disk',
    ],
    [
      'CPU of ingest at peak',
      `${((peak * CPU_US_PER_SPAN) / 1e6).toFixed(2)} cores`,
      'flush and merges included; queries come on top',
    ],
    [
      'memory at peak',
      `${Math.ceil(MEMORY_AT_REST_MB + (peak / 1000) * MEMORY_MB_PER_1000_SPANS_PER_SECOND)} MB`,
      'give twice as much: caches of queries use what -memory.allowedPercent leaves',
    ],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const wide = Math.max(...rows.map(([, value]) => value.length));
  for (const [name, value, note] of rows) console.log(`${name.padEnd(width)}  ${value.padStart(wide)}  ${note}`);
}

function round(value) {
  return Number(value.toPrecision(3)).toLocaleString('en');
}

function gigabytes(bytes) {
  return `${round(bytes / 1e9)} GB`;
}

try {
  main();
} catch (error) {
  console.error(`sizing: ${error.message}`);
  process.exit(2);
}
