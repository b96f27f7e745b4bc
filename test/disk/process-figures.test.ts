// The kernel's figures of this very process.
import { closeSync, openSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readProcessFigures } from '../../src/disk/process-figures.ts';

test.skipIf(process.platform !== 'linux')('memory, reads and descriptors are this process’s own', () => {
  const before = readProcessFigures()!;
  const { VmRSS, RssAnon, RssFile, RssShmem, VmHWM, VmSize, VmPeak } = before.memoryBytes;
  expect(VmRSS).toBeGreaterThan(10 << 20);
  expect(RssAnon + RssFile + RssShmem).toBe(VmRSS);
  expect(VmHWM).toBeGreaterThanOrEqual(VmRSS);
  expect(VmPeak).toBeGreaterThanOrEqual(VmSize);
  expect(before.threads).toBeGreaterThan(1);
  const opened = [1, 2, 3].map(() => openSync('/proc/self/status', 'r'));
  const after = readProcessFigures()!;
  for (const descriptor of opened) closeSync(descriptor);
  expect(after.openDescriptors).toBe(before.openDescriptors + 3);
  expect(after.io.syscr).toBeGreaterThan(before.io.syscr);
  for (const pressure of Object.values(after.pressure)) expect(pressure.stalledSeconds).toBeGreaterThanOrEqual(0);
});
