import { InvalidInputError, type ErrorDetail } from '#libs/common';
import type { HostPipeline } from '#libs/host';
import { MAX_DEPTH } from '#libs/processing';
import {
  chainLength,
  downstreamOf,
  findCycle,
  topologicalOrder,
  upstreamOf,
  type DependencyGraph,
} from '../graph/dependency-graph.js';
import type { AiConfig } from './ai-config.js';
import { compileField, type CompiledField, type CompileSettings } from './compile-field.js';

/** A stored configuration and which revision of it this is. */
export interface StoredConfig {
  config: AiConfig;
  version: number;
}

/** All AI fields of a pipeline, compiled together because exclusion and order depend on each other. */
export interface CompiledPipeline {
  pipeline: HostPipeline;
  fields: ReadonlyMap<string, CompiledField>;
  graph: DependencyGraph;
  /** AI fields that do not compile any more, with what is wrong: their jobs fail with it. */
  broken: ReadonlyMap<string, InvalidInputError>;
  /** The upstream AI fields of each AI field, near and far. */
  upstream: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Whether errors are thrown, for a configuration on its way in, or kept apart, for one that was accepted once. */
export type CompileMode = { strict: string } | 'lenient';

/**
 * Compiles the AI fields of a pipeline. An AI value made from an excluded field counts as that field, through any number
 * of AI fields: a prompt that names such a one is refused, and `{*}` leaves it out.
 *
 * @param mode `{strict: slug}` throws what is wrong with that field; the others' faults are kept apart.
 * @throws InvalidInputError with every error of the strict field, `dependency_cycle` with the cycle among them, or with
 * the chain it would make too long.
 */
export function compilePipeline(
  pipeline: HostPipeline,
  configs: ReadonlyMap<string, StoredConfig>,
  settings: CompileSettings,
  mode: CompileMode = 'lenient',
): CompiledPipeline {
  const broken = new Map<string, InvalidInputError>();
  const compileOne = (slug: string, tainted?: ReadonlyMap<string, string>): CompiledField | undefined => {
    const field = pipeline.fields.find(
      (candidate) => candidate.slug === slug && candidate.fieldType === 'ai_generated',
    );
    const stored = configs.get(slug);
    if (!field || !stored) return undefined;
    try {
      return compileField({ pipeline, field, ...stored, settings, tainted });
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error;
      broken.set(slug, error);
      return undefined;
    }
  };

  const first = new Map<string, CompiledField>();
  for (const slug of configs.keys()) {
    const compiled = compileOne(slug);
    if (compiled) first.set(slug, compiled);
  }
  let graph = graphOf(first);
  for (let cycle = findCycle(graph); cycle; cycle = findCycle(graph)) {
    const error = cycleError(cycle);
    if (mode !== 'lenient') throw error;
    // Settings can close a circle that was open when the fields were saved: its members rest, the others work on.
    for (const slug of cycle) {
      first.delete(slug);
      broken.set(slug, error);
    }
    graph = graphOf(first);
  }

  const fields = new Map<string, CompiledField>();
  const sources = new Map<string, Set<string>>();
  for (const slug of topologicalOrder(graph)) {
    const tainted = taintOf(first.get(slug)!, sources);
    const compiled = tainted.size > 0 ? compileOne(slug, tainted) : first.get(slug);
    if (!compiled) continue;
    fields.set(slug, compiled);
    sources.set(slug, sourcesOf(compiled, sources));
  }
  if (mode !== 'lenient') {
    throwFaults(mode.strict, broken);
    refuseLongChain(mode.strict, fields);
  }
  const upstream = new Map([...fields.keys()].map((slug) => [slug, upstreamOf(graph, slug)]));
  return { pipeline, fields, graph, broken, upstream };
}

function graphOf(fields: ReadonlyMap<string, CompiledField>): DependencyGraph {
  return new Map(
    [...fields].map(([slug, compiled]) => [
      slug,
      new Set([...compiled.reads, ...compiled.triggers].filter((other) => fields.has(other))),
    ]),
  );
}

/** Fields that a value of this field is made from: those it reads, and what the AI values among them are made from. */
function sourcesOf(compiled: CompiledField, sources: ReadonlyMap<string, Set<string>>): Set<string> {
  return new Set([...compiled.reads].flatMap((slug) => [slug, ...(sources.get(slug) ?? [])]));
}

function taintOf(compiled: CompiledField, sources: ReadonlyMap<string, Set<string>>): Map<string, string> {
  const tainted = new Map<string, string>();
  for (const [slug, made] of sources) {
    const culprit = [...made].find((source) => compiled.excluded.has(source));
    if (culprit && slug !== compiled.field.slug) {
      tainted.set(slug, `its value is made from "${culprit}", which is excluded`);
    }
  }
  return tainted;
}

function throwFaults(slug: string, broken: ReadonlyMap<string, InvalidInputError>): void {
  const own = broken.get(slug);
  if (own) throw own;
  const [other] = broken;
  if (!other) return;
  const [brokenSlug, error] = other;
  const errors: ErrorDetail[] = error.errors.map(({ message }) => ({
    path: 'ai_config',
    message: `the AI field "${brokenSlug}" would no longer work: ${message}`,
  }));
  throw new InvalidInputError(errors, 'invalid_ai_config');
}

/** @throws InvalidInputError where a value would make the next one due so often that the last ones are never reached. */
function refuseLongChain(slug: string, fields: ReadonlyMap<string, CompiledField>): void {
  const own = fields.get(slug);
  const length = own ? chainLength(dueGraph(fields), slug) : 0;
  // The first is caused by a person, each further one by the one before.
  const most = MAX_DEPTH + 1;
  if (!own || length <= most) return;
  const path = own.config.trigger_fields ? 'ai_config.trigger_fields' : 'ai_config.prompt';
  const message = `makes a chain of ${length} AI fields, each generated after the one before: at most ${most} are. Read a field nearer to its beginning, or set auto_regenerate to false.`;
  throw new InvalidInputError([{ path, message }], 'invalid_ai_config');
}

/** Which AI fields make each AI field due. */
function dueGraph(fields: ReadonlyMap<string, CompiledField>): DependencyGraph {
  return new Map(
    [...fields].map(([slug, { config, triggers }]) => [
      slug,
      new Set(
        config.auto_regenerate === false
          ? []
          : [...triggers].filter((other) => other !== slug && fields.has(other)),
      ),
    ]),
  );
}

function cycleError(cycle: string[]): InvalidInputError {
  const way = cycle.join(' → ');
  return new InvalidInputError(
    [
      {
        path: 'ai_config.prompt',
        message: `makes AI fields depend on each other in a circle: ${way}. Take one of these references out.`,
      },
    ],
    'dependency_cycle',
  );
}

/** AI fields that would be generated after this one, in order. */
export function downstreamFields(compiled: CompiledPipeline, slug: string): string[] {
  const after = new Set(downstreamOf(compiled.graph, slug));
  return topologicalOrder(compiled.graph).filter((field) => after.has(field));
}

/** AI fields whose values are made from this field, directly or through other AI fields. */
export function fieldsMadeFrom(compiled: CompiledPipeline, slug: string): string[] {
  const readers = [...compiled.fields].filter(([, field]) => field.reads.has(slug)).map(([reader]) => reader);
  return [...new Set(readers.flatMap((reader) => [reader, ...downstreamOf(compiled.graph, reader)]))];
}
