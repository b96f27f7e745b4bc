// Takes out of requests what the rules of -redaction.config say, before anything of them is stored or sent on. The files are read
// again when they change; one with a mistake leaves the rules before in force.
import { createHmac } from 'node:crypto';
import { StoreError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { watchFiles } from '../disk/watched-files.ts';
import { applyEdits } from './field-edits.ts';
import { findRedactions } from './redact-request.ts';
import { parseRedactionConfig, type RedactionRule } from './redaction-config.ts';
import { HASHED_PREFIX, ServicePlan } from './redaction-plan.ts';

/** Services whose plan is remembered; clients may invent them. */
const SERVICES_MAX = 1_000;
/** 128 bits: no two texts meet. */
const HASH_DIGITS = 32;
const KEY_BYTES_MIN = 16;

export class Redactor {
  #rules: readonly RedactionRule[] = [];
  #key = Buffer.alloc(0);
  #plans = new Map<string, ServicePlan>();
  readonly #counts = new Map<string, number>();

  /** Values redacted so far, by rule. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** Replaces the rules; `key` is that of hashes, '' for none. Throws CONFIG. */
  configure(rules: readonly RedactionRule[], key: string): void {
    const hashing = rules.find(({ action }) => action === 'hash');
    if (hashing !== undefined && key === '')
      throw new StoreError('CONFIG', `the rule ${hashing.name} hashes: set -redaction.keyFile`);
    const bytes = Buffer.from(key);
    if (key !== '' && bytes.length < KEY_BYTES_MIN)
      throw new StoreError('CONFIG', `the key of -redaction.keyFile has less than ${KEY_BYTES_MIN} bytes`);
    this.#rules = rules;
    this.#key = bytes;
    this.#plans = new Map();
    for (const { name } of rules) this.#count(name, 0);
  }

  /**
   * The request without what is redacted: `body` itself, if that is nothing, else a copy. Throws INVALID_REQUEST. The rules are
   * those of the moment of the call.
   */
  async redact(body: Uint8Array): Promise<Uint8Array> {
    if (this.#rules.length === 0) return body;
    const redactions = await findRedactions(body, this.#forRequest());
    if (redactions.length === 0) return body;
    for (const { rules } of redactions) for (const { name } of rules) this.#count(name, 1);
    return applyEdits(body, redactions);
  }

  #forRequest() {
    const [rules, key, plans] = [this.#rules, this.#key, this.#plans];
    const hash = (text: string | Uint8Array): string =>
      HASHED_PREFIX + createHmac('sha256', key).update(text).digest('hex').slice(0, HASH_DIGITS);
    const planOf = (service: string): ServicePlan => {
      const known = plans.get(service);
      if (known !== undefined) return known;
      if (plans.size >= SERVICES_MAX) plans.clear();
      const own = rules.filter(({ takesService }) => takesService === undefined || takesService(service));
      const plan = new ServicePlan(own, hash);
      plans.set(service, plan);
      return plan;
    };
    return { planOf, hash };
  }

  #count(name: string, more: number): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + more);
  }
}

export interface OpenedRedactor extends Disposable {
  /** undefined: nothing is redacted. */
  readonly redactor: Redactor | undefined;
}

export interface RedactionFiles {
  /** -redaction.config and -redaction.keyFile; '' for none. */
  readonly redactionConfigPath: string;
  readonly redactionKeyPath: string;
}

/** Throws CONFIG for files that cannot be read or have a mistake. */
export function openRedactor(files: RedactionFiles, logger: Logger): OpenedRedactor {
  const { redactionConfigPath: path, redactionKeyPath: keyPath } = files;
  if (path === '') return { redactor: undefined, [Symbol.dispose]: () => undefined };
  const redactor = new Redactor();
  try {
    const watch = watchFiles({
      paths: keyPath === '' ? [path] : [path, keyPath],
      onChange: ([text = '', key = '']) => {
        const rules = parseRedactionConfig(text);
        redactor.configure(rules, key.trim());
        logger.info('the rules of redaction were read', { path, rules: rules.length });
      },
      onError: (error) =>
        logger.error('the rules of redaction cannot be read; those before stay in force', { path, error }),
    });
    return { redactor, [Symbol.dispose]: () => watch[Symbol.dispose]() };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StoreError('CONFIG', `-redaction.config=${path}: ${reason}`, { cause });
  }
}
