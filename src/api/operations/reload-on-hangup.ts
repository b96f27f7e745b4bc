// SIGHUP: what a running node takes over from its flags.
import type { Logger } from '../../base/logger.ts';
import { compareConfigs, parseConfig, type Config, type Reloaded } from '../../config.ts';

/** Reads the flags' sources again on SIGHUP. What can be taken over is; what cannot, and what is wrong, is logged. */
export function reloadOnHangup(
  started: Config,
  logger: Logger,
  take: ((reloaded: Reloaded) => void) | undefined,
): void {
  let config = started;
  process.on('SIGHUP', () => {
    try {
      const next = parseConfig();
      const changed = compareConfigs(config, next);
      config = next;
      take?.(next);
      const taken = take === undefined ? [] : changed.taken;
      const left = take === undefined ? [...changed.taken, ...changed.left] : changed.left;
      if (left.length > 0) logger.warn('flags have changed that need a restart', { flags: left });
      logger.info('flags were read again', { taken });
    } catch (error) {
      logger.error('flags were read again and refused; the node goes on with those it has', { error });
    }
  });
}
