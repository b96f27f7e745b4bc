// Flags of what is stored, for how long, and the work in the background.
import { flag } from '../base/flag-row.ts';
import { boolean, bytes, count, duration, path } from '../base/flag-value.ts';

export const storageFlags = {
  storageDataPath: flag('storage', 'storageDataPath', path, {
    default: 'tracelith-data',
    meaning: 'Directory that holds everything stored; created when absent, owned by one process at a time.',
    reason: 'A first start must work without a choice, and leave its data where one sees it.',
    example: '-storageDataPath=/var/lib/tracelith',
  }),
  retentionMs: flag('storage', 'retentionPeriod', duration({ min: '1d', max: '100y', bareMonths: true }), {
    default: '7d',
    meaning: 'Spans that started longer ago are rejected, and days that are wholly older are dropped.',
    reason: 'As in VictoriaTraces: traces are looked at within days.',
    example: '-retentionPeriod=30d',
  }),
  futureRetentionMs: flag('storage', 'futureRetention', duration({ min: '1d', max: '100y', bareMonths: true }), {
    default: '2d',
    meaning: 'Spans that start further in the future are rejected.',
    reason: 'As in VictoriaTraces: covers a clock in the wrong time zone, not one in the wrong year.',
    example: '-futureRetention=1d',
  }),
  diskBytesMax: flag('storage', 'retention.maxDiskSpaceUsageBytes', bytes({ min: '0', max: '1024TiB' }), {
    default: '0',
    meaning:
      'With more bytes stored the oldest days are dropped, and the oldest parts of a day that alone is too large. 0: no limit.',
    reason: 'Off as in VictoriaTraces: nobody should lose data by a limit they did not choose.',
    example: '-retention.maxDiskSpaceUsageBytes=200GiB',
  }),
  diskPercentMax: flag('storage', 'retention.maxDiskUsagePercent', count('percent', { min: 0, max: 100 }), {
    default: '0',
    meaning:
      "While the file system of -storageDataPath is fuller than this, including other programs' files, the oldest days before today are dropped. 0: no limit.",
    reason: 'Off as in VictoriaTraces. Not together with -retention.maxDiskSpaceUsageBytes.',
    example: '-retention.maxDiskUsagePercent=80',
  }),
  clockJumpGraceMs: flag('storage', 'retention.clockJumpGracePeriod', duration({ min: '0s', max: '30d' }), {
    default: '1h',
    meaning:
      'How long drops by age wait when the clock jumped ahead, or asks for several days at once. 0s: they do not wait.',
    reason: 'Long enough for an alert to be seen; a day kept an hour longer hurts nobody, a wrong clock loses all.',
    example: '-retention.clockJumpGracePeriod=6h',
  }),
  flushIntervalMs: flag('storage', 'inmemoryDataFlushInterval', duration({ min: '1s', max: '1h' }), {
    default: '10s',
    meaning:
      'How often the log is turned into parts. Spans are on disk and searchable before, from the acknowledgement on.',
    reason: "Twice VictoriaTraces' 5s: nothing is lost by waiting, and fewer, larger parts mean fewer merges.",
    example: '-inmemoryDataFlushInterval=5s',
  }),
  snapshotsMaxAgeMs: flag('storage', 'snapshotsMaxAge', duration({ min: '0s', max: '100y' }), {
    default: '3d',
    meaning: 'Snapshots on disk that are older are removed; 0s keeps them until they are deleted.',
    reason: 'As in VictoriaTraces: a forgotten snapshot keeps the disk from being freed by retention.',
    example: '-snapshotsMaxAge=12h',
  }),
  freeDiskBytesMin: flag('storage', 'storage.minFreeDiskSpaceBytes', bytes({ min: '0', max: '1024TiB' }), {
    default: '10MB',
    meaning:
      'With less free space on the disk of -storageDataPath, data is refused (429, Retry-After) until there is more.',
    reason: 'As in VictoriaTraces. Set it to about a tenth of the disk where merges of large days matter.',
    example: '-storage.minFreeDiskSpaceBytes=10GiB',
  }),
  isReadOnly: flag('storage', 'storage.readOnly', boolean, {
    default: 'false',
    meaning:
      'Refuse spans (429, Retry-After) and answer queries: for a node whose days are being moved. `/ready` and `/insert/ready` are 503, `/select/ready` is not.',
    reason: 'A node stores what it is sent.',
    example: '-storage.readOnly',
  }),
  archiveBytesMax: flag('storage', 'archive.maxDiskSpaceUsageBytes', bytes({ min: '0', max: '1024TiB' }), {
    default: '1GiB',
    meaning: 'Bytes of archived traces, which no retention drops; above it archiving is refused (413). 0: no archive.',
    reason:
      'Hundreds of thousands of usual traces: what people keep by hand, not what a script could fill a disk with.',
    example: '-archive.maxDiskSpaceUsageBytes=10GiB',
  }),
  mergeWorkers: flag('storage', 'mergeWorkers', count('threads', { min: 1, max: 64 }), {
    default: '1',
    meaning: 'Threads that merge parts.',
    reason: 'One keeps up with ingest on two cores, and more would take the core that answers.',
    example: '-mergeWorkers=2',
  }),
  operationsPerServiceMax: flag(
    'storage',
    'names.operationsPerServiceMax',
    count('names', { min: 1, max: 1_000_000 }),
    {
      default: '10000',
      meaning:
        'Operations listed of one service and day, each span kind counted. Others are listed as `…other`, and found by search under their own name.',
      reason: 'Ten times what is of use in a list; a service that names its spans by user or URL has as many as spans.',
      example: '-names.operationsPerServiceMax=2000',
    },
  ),
  servicesPerTenantMax: flag('storage', 'names.servicesPerTenantMax', count('names', { min: 1, max: 1_000_000 }), {
    default: '10000',
    meaning:
      'Services listed of one tenant and day. Others are listed as `…other`, and found by search under their own name.',
    reason: 'As many as the largest installations have.',
    example: '-names.servicesPerTenantMax=2000',
  }),
} as const;
