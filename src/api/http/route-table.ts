// The registered routes, for what the router does not tell: which methods a path has (405 instead of 404), and a route's
// pattern without the prefix (the label of metrics, bounded by the number of routes).

/** The label of every path that no route matches. */
const UNKNOWN = '*';

export class RouteTable {
  readonly #prefix: string;
  readonly #methods = new Map<string, Set<string>>();
  readonly #matchers: { readonly pattern: string; readonly regex: RegExp }[] = [];

  /** `prefix` is in front of every pattern; '' for none. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Adds a route; in `pattern`, `:name` matches one segment and a final `*` any rest, as in the router. */
  add(method: string | readonly string[], pattern: string): void {
    let methods = this.#methods.get(pattern);
    if (methods === undefined) {
      methods = new Set();
      this.#methods.set(pattern, methods);
      this.#matchers.push({ pattern, regex: regexOf(pattern) });
    }
    for (const one of typeof method === 'string' ? [method] : method) methods.add(one);
  }

  /** Every route, HEAD left out where it goes with GET. */
  all(): { readonly method: string; readonly pattern: string }[] {
    return [...this.#methods].flatMap(([pattern, methods]) =>
      [...methods].filter((method) => method !== 'HEAD').map((method) => ({ method, pattern })),
    );
  }

  /** Methods of the routes whose pattern matches `path`, sorted; [] for an unknown path. */
  methodsOf(path: string): string[] {
    const known = path.replace(/\/{2,}/g, '/');
    const found = new Set<string>();
    for (const { pattern, regex } of this.#matchers) {
      if (!regex.test(known)) continue;
      for (const method of this.#methods.get(pattern) ?? []) found.add(method);
    }
    return [...found].toSorted();
  }

  /** Paths of routes without a parameter, as a client writes them. */
  plainPaths(): string[] {
    return [...this.#methods.keys()].filter((pattern) => !/[:*]/.test(pattern));
  }

  /** The pattern as in the source, without the prefix; `*` if no route matched. */
  shortPattern(pattern: string | undefined): string {
    if (pattern === undefined || !this.#methods.has(pattern)) return UNKNOWN;
    return pattern.startsWith(this.#prefix) ? pattern.slice(this.#prefix.length) : pattern;
  }
}

function regexOf(pattern: string): RegExp {
  const source = pattern
    .split('/')
    .map((segment) =>
      segment === '*' ? '.*' : segment.startsWith(':') ? '[^/]+' : segment.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'),
    )
    .join('/');
  return new RegExp(`^${source}$`);
}
