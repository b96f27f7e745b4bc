// Writes a line to stderr from a thread whose process is about to be killed: immediately, without another thread.
import { writeSync } from 'node:fs';

export function writeLastWords(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // Nobody reads stderr, or its pipe is full: the process must end all the same.
  }
}
