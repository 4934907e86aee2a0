import { hashOf } from '#libs/common';
import type { LlmRequest } from '#libs/llm';
import type { ParserOptions } from '../parsers/parser.js';

export interface FingerprintParts {
  provider: string;
  baseUrl?: string;
  request: Omit<LlmRequest, 'timeoutMs' | 'signal'>;
  outputType: string;
  parserOptions: ParserOptions;
}

/** Hash of everything that determines a result: an equal fingerprint means that a call would ask the same again. */
export function fingerprintOf({
  provider,
  baseUrl,
  request,
  outputType,
  parserOptions,
}: FingerprintParts): string {
  const { model, system, messages, maxTokens, temperature, responseSchema, tools } = request;
  return hashOf({
    provider,
    baseUrl,
    request: { model, system, messages, maxTokens, temperature, responseSchema, tools },
    outputType,
    parserOptions,
  });
}
