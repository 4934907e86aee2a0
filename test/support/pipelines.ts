import type { Api, Body } from './api.js';

/** A field as the API takes it. */
export type FieldSpec = Record<string, unknown> & { slug: string };

/** A field that people fill in; a text unless told otherwise. */
export function plain(slug: string, more: Record<string, unknown> = {}): FieldSpec {
  return { name: titled(slug), slug, field_type: 'text', ...more };
}

/** An AI field, of the cheapest model unless told otherwise. */
export function ai(slug: string, config: Record<string, unknown>): FieldSpec {
  return {
    name: titled(slug),
    slug,
    field_type: 'ai_generated',
    ai_config: { model: 'gpt-4o-mini', ...config },
  };
}

/** @returns the id of the new pipeline. */
export async function addPipeline(api: Api, fields: FieldSpec[], name = 'Leads'): Promise<string> {
  const { id } = await api.post('/pipelines', { name, fields });
  return id as string;
}

/** @returns the record as it was answered, before anything was generated. */
export function addRecord(api: Api, pipelineId: string, data: Record<string, unknown>): Promise<Body> {
  return api.post(`/pipelines/${pipelineId}/records`, { data });
}

/** Adds a record and waits until its AI values are there. */
export async function addSettled(api: Api, pipelineId: string, data: Record<string, unknown>): Promise<Body> {
  return api.settled((await addRecord(api, pipelineId, data)).id);
}

/** Changes values of a record and waits until nothing is due any more. */
export async function edit(api: Api, recordId: string, data: Record<string, unknown>): Promise<Body> {
  await api.patch(`/records/${recordId}`, { data });
  return api.settled(recordId);
}

/** Replaces the configuration of an AI field. */
export function configure(
  api: Api,
  pipelineId: string,
  slug: string,
  config: Record<string, unknown>,
): Promise<Body> {
  return api.patch(`/pipelines/${pipelineId}/fields/${slug}`, {
    ai_config: { model: 'gpt-4o-mini', ...config },
  });
}

/** Generates one value by hand. @returns the job once it has ended. */
export async function generate(api: Api, recordId: string, slug: string, force = false): Promise<Body> {
  const { job_id: id } = await api.post(`/records/${recordId}/ai/${slug}/generate`, { force });
  return api.job(id);
}

/** `last_name` as `Last name`. */
function titled(slug: string): string {
  const words = slug.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
