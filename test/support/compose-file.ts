import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

export interface ComposeService {
  environment?: Record<string, string>;
  [key: string]: unknown;
}

export interface ComposeFile {
  services: Record<string, ComposeService>;
  volumes: Record<string, unknown>;
  [key: string]: unknown;
}

/** `${NAME}`, `${NAME:-default}` and `${NAME:?what to do}`, as Compose reads them. */
const VARIABLE = /\$\{(\w+)(?::([-?])([^}]*))?\}/g;

/**
 * Reads a compose file as Compose does: merge keys merged, variables replaced.
 *
 * @throws with the variable's own message where one is required and not set.
 */
export function readComposeFile(path: URL, env: Record<string, string>): ComposeFile {
  const replace = (text: string): string =>
    text.replace(VARIABLE, (_, name: string, kind?: string, rest = '') => {
      const value = env[name];
      if (value) return value;
      if (kind === '?') throw new Error(`${name}: ${rest}`);
      return kind === '-' ? rest : '';
    });
  const revive = (_: string, value: unknown): unknown => (typeof value === 'string' ? replace(value) : value);
  const file: unknown = parse(readFileSync(path, 'utf8'), { merge: true });
  return JSON.parse(JSON.stringify(file), revive) as ComposeFile;
}

/** The names of all variables that a compose file asks for. */
export function variablesOf(path: URL): string[] {
  const names = [...readFileSync(path, 'utf8').matchAll(VARIABLE)].map(([, name]) => name!);
  return [...new Set(names)].sort();
}
