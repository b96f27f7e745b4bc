// A line on stderr from a thread whose process is about to be killed: written at once, through no other thread.
import { writeSync } from 'node:fs';

export function writeLastWords(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // Nobody reads stderr, or its pipe is full: nobody can be told, and the process must end all the same.
  }
}
