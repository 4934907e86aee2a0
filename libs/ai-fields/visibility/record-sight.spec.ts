import type { Json } from '#libs/common';
import type { HostField } from '#libs/host';
import type { CompiledField } from '../config/compile-field.js';
import type { CompiledPipeline } from '../config/compile-pipeline.js';
import type { AiValueView } from '../values/value-views.js';
import { pipelineSight, recordSight, shownRecord, type MadeValue } from './record-sight.js';

const VIEWER = ['viewer'];

/** A pipeline with a salary for admins, and AI fields that read what is given. */
function pipelineOf(reads: Record<string, string[]>, lists: Record<string, string[]> = {}): CompiledPipeline {
  const fields: HostField[] = [
    { slug: 'name', name: 'Name', fieldType: 'text' },
    { slug: 'salary', name: 'Salary', fieldType: 'number', visibleTo: ['admin'] },
    ...Object.keys(reads).map((slug) => ({
      slug,
      name: slug,
      fieldType: 'ai_generated' as const,
      visibleTo: lists[slug],
    })),
  ];
  const compiled = Object.entries(reads).map(
    ([slug, read]) => [slug, { reads: new Set(read) } as unknown as CompiledField] as const,
  );
  const pipeline = { id: 'p', name: 'Leads', version: '1', fields };
  return { pipeline, fields: new Map(compiled) } as unknown as CompiledPipeline;
}

const made = (values: Record<string, MadeValue>) => (slug: string) => values[slug];
const hidden = (compiled: CompiledPipeline, values: Record<string, MadeValue> = {}) =>
  [...recordSight(compiled, VIEWER, made(values)).hidden].sort();

describe('recordSight', () => {
  it('hides what the configurations of now make from a hidden field', () => {
    const compiled = pipelineOf({ pay: ['salary'], advice: ['pay'], hello: ['name'] });
    expect(hidden(compiled)).toEqual(['advice', 'pay', 'salary']);
    expect([...pipelineSight(compiled, VIEWER).hidden].sort()).toEqual(['advice', 'pay', 'salary']);
    expect(recordSight(compiled, ['admin'], made({})).hidden.size).toBe(0);
  });

  it('hides a value that was made from one before, generated or restored, and what reads it now', () => {
    const compiled = pipelineOf({ hello: ['name'], again: ['hello'], other: ['name'] });
    const generated = { hello: { sources: ['salary'], override_sources: null } };
    const restored = { hello: { sources: ['name'], override_sources: ['name', 'salary'] } };
    expect(hidden(compiled)).toEqual(['salary']);
    expect(hidden(compiled, generated)).toEqual(['again', 'hello', 'salary']);
    expect(hidden(compiled, restored)).toEqual(['again', 'hello', 'salary']);
  });

  it('does not take what was made of other things for harmless while the configuration reads a hidden field', () => {
    const compiled = pipelineOf({ hello: ['salary'] });
    expect(hidden(compiled, { hello: { sources: ['name'], override_sources: null } })).toEqual([
      'hello',
      'salary',
    ]);
  });

  it('leaves a field with its own list to that list', () => {
    const compiled = pipelineOf({ band: ['salary'] }, { band: ['viewer'] });
    const sight = recordSight(compiled, VIEWER, made({}));
    expect([[...sight.hidden], [...sight.opaque]]).toEqual([['salary'], ['band']]);
  });
});

describe('shownRecord', () => {
  const error = { code: 'parse_failed', message: 'could not read "4711"' };
  const data: Record<string, Json> = { name: 'Ada', salary: 4711, pay: 'much', band: 'top' };
  const ai: Record<string, AiValueView> = {
    pay: { state: 'ready' },
    band: { state: 'failed', error },
    hello: { state: 'failed', error },
  };
  const compiled = pipelineOf({ pay: ['salary'], band: ['salary'], hello: ['name'] }, { band: ['viewer'] });

  it('takes hidden values out, and messages that may quote them', () => {
    const shown = shownRecord({ id: 'r', data, ai }, recordSight(compiled, VIEWER, made({})));
    expect(shown.data).toEqual({ name: 'Ada', band: 'top' });
    expect(Object.keys(shown.ai)).toEqual(['band', 'hello']);
    expect(shown.ai['band']?.error).toEqual({
      code: 'parse_failed',
      message: expect.stringMatching(/may not/),
    });
    expect(shown.ai['hello']?.error).toEqual(error);
  });

  it('is the same record for who sees everything', () => {
    const record = { data, ai };
    expect(shownRecord(record, recordSight(compiled, ['owner'], made({})))).toBe(record);
  });
});
