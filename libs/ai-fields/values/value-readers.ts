import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Json } from '#libs/common';
import type { HostPipeline } from '#libs/host';
import { ParseError, ParserRegistry, type Parser, type ParserOptions } from '#libs/processing';
import { TenantSettingsStore } from '#libs/tenants';
import { parserOptionsOf } from '../config/ai-config.js';
import { CompiledConfigs } from '../config/compiled-configs.js';
import { valueFault } from '../config/value-fault.js';

/** Reads what people give for the AI fields of one pipeline, by the rules that answers of models go by. */
export interface ValueReader {
  /** What is wrong with a value for the field, or undefined; `null`, which clears it, is never wrong. */
  problem(slug: string, value: Json): string | undefined;
  /** The value that a text holds, such as a table's cell, or why it holds none. */
  read(slug: string, text: string): { value: Json } | { problem: string };
}

/** The parser of a field's output type, and what it goes by. */
interface FieldParser {
  parser: Parser;
  options: ParserOptions;
}

/** Output types whose value a person may leave empty; a model must answer something. */
const MAY_BE_EMPTY: ReadonlySet<string> = new Set(['text', 'markdown', 'html']);

/** What a host asks before it saves values that people give for AI fields. */
@Injectable()
export class ValueReaders {
  constructor(
    private readonly configs: CompiledConfigs,
    private readonly settings: TenantSettingsStore,
    private readonly parsers: ParserRegistry,
  ) {}

  /** @param pipeline as the values will be saved under. A field whose configuration works no more takes any value. */
  async of(em: EntityManager, tenantId: string, pipeline: HostPipeline): Promise<ValueReader> {
    const settings = await this.settings.recent(em, tenantId);
    const { fields } = await this.configs.of(em, tenantId, pipeline, settings);
    const parserOf = (slug: string): FieldParser | undefined => {
      const config = fields.get(slug)?.config;
      return (
        config && {
          parser: this.parsers.get(config.output_type ?? 'text'),
          options: parserOptionsOf(config),
        }
      );
    };
    return {
      problem: (slug, value) => problemOf(parserOf(slug), value),
      read: (slug, text) => readText(parserOf(slug), text),
    };
  }
}

function problemOf(field: FieldParser | undefined, value: Json): string | undefined {
  if (!field || value === null) return undefined;
  const { parser, options } = field;
  const isEmpty = typeof value === 'string' && value.trim() === '';
  if (isEmpty && MAY_BE_EMPTY.has(parser.outputType)) return undefined;
  return valueFault(value, parser, options);
}

function readText(field: FieldParser | undefined, text: string): { value: Json } | { problem: string } {
  if (!field) return { value: text };
  try {
    return { value: field.parser.parse(text, field.options) };
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    return { problem: `is no value of the output type ${field.parser.outputType}: ${error.message}` };
  }
}
