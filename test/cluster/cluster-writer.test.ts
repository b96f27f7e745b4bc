// How long spans wait for nodes that are down, and what a failed call says of its node.
import { expect, test } from 'vitest';
import { ClusterWriter } from '../../src/cluster/cluster-writer.ts';
import { NoAnswer } from '../../src/cluster/grpc-caller.ts';
import { Placement } from '../../src/cluster/placement.ts';
import type { StorageNode } from '../../src/cluster/storage-node.ts';
import { deadlineAfter, type CallContext } from '../../src/trace/call-context.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { requestOf, span } from '../block/scanned.ts';

const TIMEOUT_MS = 20;

function writerTo(node: object, timeoutMs = TIMEOUT_MS): ClusterWriter {
  const only = { shownName: 'a', reason: 'it is away', isReadOnly: false, ...node } as unknown as StorageNode;
  return new ClusterWriter({ nodes: { all: [only], placement: new Placement(['a']), nodeAt: () => only }, timeoutMs });
}

const write = async (writer: ClusterWriter, call: Partial<CallContext> = {}): Promise<object> =>
  await writer.write({ tenant: DEFAULT_TENANT, ...call }, encodeRequest(requestOf([span(1)])));

test('spans wait for a node that may be back no longer than their sender, and than a write may take', async () => {
  const silent = { isUp: false, isOpen: false, isBack: () => new Promise(() => undefined) };
  const refused = { code: 'UNAVAILABLE', message: expect.stringContaining('no storage node takes the spans') };
  await expect(write(writerTo(silent))).rejects.toMatchObject(refused);
  const patient = writerTo(silent, 3_600_000);
  await expect(write(patient, { deadlineNs: deadlineAfter(TIMEOUT_MS) })).rejects.toMatchObject(refused);
  await expect(write(patient, { signal: AbortSignal.timeout(TIMEOUT_MS) })).rejects.toMatchObject(refused);
});

test('a node that is up counts as full when it did not answer, not when its connection was replaced', async () => {
  for (const isUnsent of [true, false]) {
    let marked = 0;
    const store = {
      write: () => Promise.reject(new NoAnswer('Channel closed before call started', isUnsent, undefined)),
    };
    const node = {
      isUp: true,
      isOpen: true,
      downSignal: new AbortController().signal,
      store,
      repeat: store,
      isBack: async () => true,
      probe: async () => undefined,
      markFull: () => void marked++,
    };
    await expect(write(writerTo(node))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect([isUnsent, marked]).toEqual([isUnsent, isUnsent ? 0 : 1]);
  }
});
