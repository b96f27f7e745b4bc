// A URL's query string as Go's url.ParseQuery reads it, because Jaeger's clients were written against that: repeated
// parameters, bare ones ("?minDuration&limit=5"), "+" as space; a pair with ";" or a bad %-escape is left out.

export class QueryString {
  readonly #values = new Map<string, string[]>();
  readonly #names = new Set<string>();
  /** Pairs that are left out, as they were given. */
  readonly leftOut: string[] = [];

  /** `raw` is the part of the URL after the "?", still encoded. */
  constructor(raw: string) {
    for (const pair of raw.split('&')) {
      if (pair === '') continue;
      for (const part of pair.split(';')) this.#names.add(nameOf(part));
      if (pair.includes(';')) {
        this.leftOut.push(pair);
        continue;
      }
      const equals = pair.indexOf('=');
      const key = unescapeQuery(equals === -1 ? pair : pair.slice(0, equals));
      const value = equals === -1 ? '' : unescapeQuery(pair.slice(equals + 1));
      if (key === undefined || value === undefined) {
        this.leftOut.push(pair);
        continue;
      }
      const values = this.#values.get(key);
      if (values === undefined) this.#values.set(key, [value]);
      else values.push(value);
    }
  }

  /** The first value of `key`; "" if it is absent: Jaeger does not distinguish the two. */
  first(key: string): string {
    return this.#values.get(key)?.[0] ?? '';
  }

  /** The names that occur, including those of pairs that are left out, as far as they are readable. */
  names(): ReadonlySet<string> {
    return this.#names;
  }

  /** The values of `key`, in order, empty ones too. */
  values(key: string): readonly string[] {
    return this.#values.get(key) ?? [];
  }

  /** The values of `key` that are not empty, in order. */
  all(key: string): string[] {
    return this.values(key).filter((value) => value !== '');
  }
}

function nameOf(pair: string): string {
  const name = pair.split('=', 1)[0]!;
  return unescapeQuery(name) ?? name;
}

function unescapeQuery(text: string): string | undefined {
  return unescapePercent(text.replaceAll('+', ' '));
}

/** Decodes %-escapes, once; undefined if one is malformed. Bytes that are not UTF-8 become U+FFFD. */
export function unescapePercent(text: string): string | undefined {
  if (!text.includes('%')) return text;
  if (/%(?![0-9a-fA-F]{2})/.test(text)) return undefined;
  return text.replace(/(?:%[0-9a-fA-F]{2})+/g, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'));
}
