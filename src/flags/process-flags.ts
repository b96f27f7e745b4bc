// Flags of the process: memory, its end, its log, and where flags come from.
import { flag } from '../base/flag-row.ts';
import { boolean, bytes, choice, count, duration, text } from '../base/flag-value.ts';
import { LOG_FORMATS, LOG_LEVELS } from '../base/logger.ts';

export const processFlags = {
  stopMaxMs: flag('process', 'shutdownTimeout', duration({ min: '0ms', max: '1h' }), {
    default: '9s',
    meaning:
      'After SIGTERM, how long the whole stop may take: requests under way, then the last flush, which is cut short at the end. What is acknowledged is on disk before.',
    reason: 'Container runtimes kill after ten seconds.',
    example: '-shutdownTimeout=25s',
  }),
  memoryPercent: flag('process', 'memory.allowedPercent', count('percent', { min: 1, max: 100 }), {
    default: '60',
    meaning:
      'Share of the memory of the machine, or of its container where that has less, that requests, answers, caches and merges may take together with the program.',
    reason: 'As in VictoriaMetrics. The rest is for what is counted less exactly: garbage, buffers of the system.',
    example: '-memory.allowedPercent=40',
  }),
  memoryBytes: flag('process', 'memory.allowedBytes', bytes({ min: '0', max: '1024TiB' }), {
    default: '0',
    meaning: 'The same in bytes, instead of -memory.allowedPercent. 0: by percent.',
    reason: 'As in VictoriaMetrics: for who knows what else runs on the machine.',
    example: '-memory.allowedBytes=800MiB',
  }),
  keepFailedRequests: flag('process', 'debug.keepFailedRequests', boolean, {
    default: 'false',
    meaning: 'Keep the bodies of requests that meet a bug of this program in quarantine/, up to 16 until the restart.',
    reason: 'They hold what users sent: kept only by who wants to find the bug.',
    example: '-debug.keepFailedRequests',
  }),
  stallMaxMs: flag('process', 'stallTimeout', duration({ min: '1s', max: '1h' }), {
    default: '8s',
    meaning:
      'A process whose store or main thread does nothing for so long, or ten times as long while it waits for the disk, logs it and kills itself, for its supervisor to start it again.',
    reason:
      'A process that looks alive and answers nobody is the worst state; the longest step of a healthy one is a second.',
    example: '-stallTimeout=30s',
  }),
  loggerFormat: flag('process', 'loggerFormat', choice(LOG_FORMATS), {
    default: 'default',
    meaning: 'Lines of text, or one JSON object a line, on stderr.',
    reason: 'The first reader is a person at a terminal.',
    example: '-loggerFormat=json',
  }),
  loggerLevel: flag('process', 'loggerLevel', choice(LOG_LEVELS), {
    default: 'INFO',
    meaning: 'Lines below this level are not written.',
    reason: 'INFO is a few lines in the life of a process.',
    example: '-loggerLevel=WARN',
  }),
  configFile: flag('process', 'config', text, {
    default: '',
    meaning:
      'YAML file with further flags, such as `retentionPeriod: 30d`; the command line and the environment win. Read again on SIGHUP. Empty: none.',
    reason: 'One way to start is enough for most; a file is for who keeps settings in a repository or a ConfigMap.',
    example: '-config=/etc/tracelith.yaml',
  }),
  envflagEnable: flag('process', 'envflag.enable', boolean, {
    default: 'false',
    meaning: 'Also take flags from environment variables of the same names, `_` for `.`; the command line wins.',
    reason: 'As in VictoriaTraces: a stray variable must not change a server that was not asked to look.',
    example: '-envflag.enable',
  }),
  envflagPrefix: flag('process', 'envflag.prefix', text, {
    default: '',
    meaning: 'Put before the names of these variables.',
    reason: 'As in VictoriaTraces.',
    example: '-envflag.prefix=TRACELITH_',
  }),
  version: flag('process', 'version', boolean, {
    default: 'false',
    meaning: 'Print the version and exit.',
    reason: 'An action, not a setting.',
    example: '-version',
  }),
  help: flag('process', 'help', boolean, {
    default: 'false',
    meaning: 'Print this list and exit.',
    reason: 'An action, not a setting.',
    example: '-help',
  }),
} as const;
