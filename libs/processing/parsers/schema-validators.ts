import { createContext, Script } from 'node:vm';
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { LRUCache } from 'lru-cache';
import { hashOf, InvalidInputError, type ErrorDetail, type Json } from '#libs/common';
import { ParseError } from './parser.js';
import { schemaFaults } from './schema-bounds.js';

/**
 * Milliseconds that one validation may take, for all that time nothing else runs in this process: patterns and `uniqueItems`
 * of a tenant's schema can be made slow. It takes a fraction of one otherwise; the rest is for a busy machine.
 */
const VALIDATION_TIMEOUT_MS = 250;
/** The same for a schema whose last validation took too long, which the next one will, too. */
const SLOW_TIMEOUT_MS = 50;
const MAX_COMPILED = 200;
const MAX_FAULTS_TOLD = 4;

/**
 * Validates answers by the JSON Schemas of configurations, compiled once each. `format` is a note to the
 * model, as draft 2020-12 has it, and is not checked; references to other documents are refused.
 */
export class SchemaValidators {
  private readonly compiled = new LRUCache<string, ValidateFunction>({ max: MAX_COMPILED });
  private readonly slow = new WeakSet<ValidateFunction>();
  private readonly sandbox = createContext({ run: (): void => undefined });
  private readonly script = new Script('run()');

  /** Everything wrong with a schema; paths begin with `schema`. */
  check(schema: Record<string, Json>): ErrorDetail[] {
    const faults = schemaFaults(schema);
    if (faults.length > 0) return faults;
    const ajv = newAjv();
    try {
      if (!ajv.validateSchema(schema)) return (ajv.errors ?? []).slice(0, 20).map(schemaDetail);
      ajv.compile(schema);
      return [];
    } catch (error) {
      return [{ path: 'schema', message: compileFault(error as Error) }];
    }
  }

  /**
   * @throws ParseError naming the first few things that do not match
   * @throws InvalidInputError when the schema itself cannot be used
   */
  validate(schema: Record<string, Json>, value: Json): void {
    const matches = this.validatorOf(schema);
    if (this.withinTime(matches, value)) return;
    const errors = matches.errors ?? [];
    const told = errors.slice(0, MAX_FAULTS_TOLD).map(faultInWords).join('; ');
    const more = errors.length > MAX_FAULTS_TOLD ? ` (and ${errors.length - MAX_FAULTS_TOLD} more)` : '';
    throw new ParseError(`The answer does not match the JSON Schema: ${told}${more}.`);
  }

  private validatorOf(schema: Record<string, Json>): ValidateFunction {
    const faults = schemaFaults(schema);
    if (faults.length > 0) throw new InvalidInputError(faults);
    const key = hashOf(schema);
    const known = this.compiled.get(key);
    if (known) return known;
    const errors = this.check(schema);
    if (errors.length > 0) throw new InvalidInputError(errors);
    const validator = newAjv().compile(schema);
    this.compiled.set(key, validator);
    return validator;
  }

  /** The only way to interrupt a regular expression that backtracks is V8's own, by way of a script. */
  private withinTime(matches: ValidateFunction, value: Json): boolean {
    const timeout = this.slow.has(matches) ? SLOW_TIMEOUT_MS : VALIDATION_TIMEOUT_MS;
    try {
      this.sandbox['run'] = () => matches(value);
      const isMatch = this.script.runInContext(this.sandbox, { timeout }) as boolean;
      this.slow.delete(matches);
      return isMatch;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') {
        this.slow.add(matches);
        throw new ParseError(
          'Checking the answer against the JSON Schema took too long. Answer more briefly.',
          error,
        );
      }
      const message = `cannot be applied (${(error as Error).message}): look for a reference to itself or a huge pattern`;
      throw new InvalidInputError([{ path: 'schema', message }]);
    } finally {
      this.sandbox['run'] = undefined;
    }
  }
}

/** A new one for each schema, so that no `$id` of one tenant is seen by another and nothing piles up. */
function newAjv(): Ajv2020 {
  return new Ajv2020({
    strict: false,
    allErrors: true,
    validateFormats: false,
    inlineRefs: false,
    logger: false,
  });
}

function schemaDetail(error: ErrorObject): ErrorDetail {
  const steps = error.instancePath.split('/').slice(1).map(unescaped);
  const { allowedValues } = error.params as { allowedValues?: Json[] };
  const message = allowedValues
    ? `must be one of ${JSON.stringify(allowedValues).slice(0, 200)}`
    : (error.message ?? 'is not valid');
  return { path: ['schema', ...steps].join('.').slice(0, 200), message };
}

function compileFault(error: Error): string {
  if (error.message.startsWith('no schema with key or ref')) {
    return 'unknown $schema: leave it out or use https://json-schema.org/draft/2020-12/schema';
  }
  return `cannot be used: ${error.message.slice(0, 300)}`;
}

function faultInWords(error: ErrorObject): string {
  const at = unescaped(error.instancePath).slice(0, 25) || 'the value';
  const { additionalProperty, allowedValues } = error.params as {
    additionalProperty?: string;
    allowedValues?: Json[];
  };
  if (additionalProperty !== undefined)
    return `${at} must not have the property ${additionalProperty.slice(0, 25)}`;
  if (allowedValues) return `${at} must be one of ${JSON.stringify(allowedValues).slice(0, 200)}`;
  return `${at} ${(error.message ?? 'is not valid').slice(0, 200)}`;
}

/** Undoes the escapes of a JSON pointer. */
function unescaped(pointer: string): string {
  return pointer.replaceAll('~1', '/').replaceAll('~0', '~');
}
