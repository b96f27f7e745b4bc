// A disk that beats its thread's pulse at every call, so that a long walk over many files does not look like a hang.
import type { Pulse } from '../base/pulse.ts';
import type { Disk, ReadFile, WriteFile } from './disk.ts';

export function pulsingDisk(disk: Disk, pulse: Pulse): Disk {
  const beat = <T>(result: T): T => {
    pulse.beat();
    return result;
  };
  return {
    ...disk,
    createFile: (path) => pulsingWriter(disk.createFile(path), beat),
    openRead: (path) => pulsingReader(disk.openRead(path), beat),
    list: (path) => beat(disk.list(path)),
    stat: (path) => beat(disk.stat(path)),
    syncDir: (path) => beat(disk.syncDir(path)),
    rename: (from, to) => beat(disk.rename(from, to)),
    remove: (path) => beat(disk.remove(path)),
    link: (from, to) => beat(disk.link(from, to)),
    foreign: (name, action) => beat(disk.foreign(name, action)),
  };
}

type Beat = <T>(result: T) => T;

function pulsingWriter(file: WriteFile, beat: Beat): WriteFile {
  return {
    path: file.path,
    get sizeBytes() {
      return file.sizeBytes;
    },
    write: (bytes) => beat(file.write(bytes)),
    sync: () => beat(file.sync()),
    close: () => beat(file.close()),
  };
}

function pulsingReader(file: ReadFile, beat: Beat): ReadFile {
  return {
    path: file.path,
    sizeBytes: file.sizeBytes,
    read: (offset, sizeBytes) => beat(file.read(offset, sizeBytes)),
    close: () => beat(file.close()),
  };
}
