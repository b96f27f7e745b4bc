// A store in this process, for the metamorphic runner: what can be done to it without changing an answer, down to merges of any parts.
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { commitParts } from '../../src/index/catalog.ts';
import { mergeParts } from '../../src/part/merge-parts.ts';
import { DATA_FILE } from '../../src/part/part-writer.ts';
import { newIdentity } from '../../src/part/identity.ts';
import { openPartitionFiles } from '../../src/partition/open-partition.ts';
import { livePart, partEntry } from '../../src/partition/part-set.ts';
import { partsPath } from '../../src/partition/partition-place.ts';
import type { Storage } from '../../src/storage/storage.ts';
import type { Tenant } from '../../src/trace/tenant.ts';
import { DAY_MS, memoryLog, openStore, TemporaryFolder } from '../storage/open-store.ts';
import { FakeClock } from './fake-clock.ts';
import type { Random } from './random-request.ts';
import { Asker, type Questions } from './store-answers.ts';

/** A store of some kind, and what can be done to it without changing an answer. */
export interface Subject extends AsyncDisposable {
  readonly steps: Readonly<Record<string, () => Promise<void>>>;
  write(tenant: Tenant, body: Uint8Array): Promise<void>;
  /** Answer by question, both as text. None of them may come with a warning. */
  answers(questions: Questions): Promise<Map<string, string>>;
}

/** A request as it was written. */
export interface Written {
  readonly tenant: Tenant;
  readonly body: Uint8Array;
}

export class LocalSubject implements Subject {
  readonly #folder = new TemporaryFolder();
  readonly #clock: FakeClock;
  readonly #asker = new Asker();
  readonly #random: Random;
  readonly #requests: readonly Written[];
  #storage: Storage;

  /** `requests`: what may be sent again. */
  constructor(requests: readonly Written[], random: Random, clock: FakeClock = new FakeClock()) {
    this.#clock = clock;
    this.#requests = requests;
    this.#random = random;
    this.#storage = this.#open();
  }

  async write(tenant: Tenant, body: Uint8Array): Promise<void> {
    await this.#storage.write(tenant, body);
  }

  async answers(questions: Questions): Promise<Map<string, string>> {
    const answers = this.#asker.answers(this.#storage, questions);
    expect([...this.#asker.warnings]).toEqual([]);
    return answers;
  }

  readonly steps: Readonly<Record<string, () => Promise<void>>> = {
    flush: () => this.#storage.forceFlush(),
    'send again': async () => {
      const { tenant, body } = this.#pick(this.#requests);
      await this.#storage.write(tenant, body.slice());
    },
    maintain: async () => {
      this.#clock.advance(10_000);
      await this.#storage.runMaintenance();
    },
    'merge a day': async () => this.#storage.forceMerge(this.#day()),
    'merge all': () => this.#storage.forceMerge(''),
    'merge any parts': async () => {
      await this.#storage.close();
      this.#mergeAnyParts(
        join(this.#folder.path, 'partitions', this.#pick(readdirSync(join(this.#folder.path, 'partitions')))),
      );
      this.#storage = this.#open();
    },
    restart: async () => {
      await this.#storage.close();
      this.#storage = this.#open();
    },
    die: async () => {
      this.#storage.abandon();
      this.#storage = this.#open();
    },
    restore: async () => {
      const day = this.#day();
      const [snapshot = ''] = await this.#storage.createSnapshots(day);
      await this.#storage.detachPartition(day);
      const partition = join(this.#folder.path, 'partitions', day);
      rmSync(partition, { recursive: true });
      cpSync(snapshot, partition, { recursive: true });
      await this.#storage.attachPartition(day);
      await this.#storage.deleteSnapshot(snapshot);
    },
    'drop another day': async () => {
      // Two days on, and the day six days ago is wholly older than seven days.
      this.#clock.set(Date.UTC(2026, 10, 22, 12) + 10_000);
      await this.#storage.runMaintenance();
      expect(this.#storage.listPartitions()).not.toContain('20261114');
    },
  };

  /** Takes some of the parts, not those a plan would, and makes one of them. */
  #mergeAnyParts(path: string): void {
    const quarantinePath = join(this.#folder.path, 'quarantine');
    const day = Date.parse(`${/\d{8}$/.exec(path)![0].replace(/(....)(..)(..)/, '$1-$2-$3')}T00:00:00Z`) / DAY_MS;
    const place = { path, day, disk: nodeDisk, quarantinePath, logger: memoryLog() };
    const { env, parts } = openPartitionFiles(place);
    try {
      const chosen = parts.filter(() => this.#random() < 0.5);
      if (chosen.length === 0) return;
      const id = newIdentity();
      const partIds = chosen.map(({ entry }) => entry.id);
      const job = {
        inputs: chosen.map((part) => ({ path: join(part.path, DATA_FILE), blocks: part.metadata.blocks })),
        partPath: join(partsPath(path), id),
        origin: { logSeqMax: Math.max(...chosen.map(({ metadata }) => metadata.origin.logSeqMax)), partIds },
        rollups: { kind: 'sum', parts: chosen.map((part) => part.path), isWholeDay: false },
        profile: 'merged',
        day,
        quarantinePath,
      } as const;
      const { part } = mergeParts(nodeDisk, job);
      const added = livePart(place, { entry: partEntry(id, 2, part!), metadata: part! });
      commitParts(env, { add: [added.entry], remove: partIds });
    } finally {
      env.close();
    }
  }

  #open(): Storage {
    const storage = openStore(this.#folder.path, { clock: this.#clock });
    expect(storage.report.damaged).toEqual([]);
    return storage;
  }

  #day(): string {
    return this.#pick(this.#storage.listPartitions());
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#storage.close();
    this.#asker[Symbol.dispose]();
    this.#folder[Symbol.dispose]();
  }
}
