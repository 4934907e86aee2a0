import { ai, plain, type FieldSpec } from '../../support/pipelines.js';

/**
 * A chain (name, summary, pitch) and a diamond (summary, strengths and risks, verdict). Each prompt names its field and its
 * record, so that every call the provider received tells what it was for.
 */
export const PROMPTS: Readonly<Record<string, string>> = {
  summary: promptOf('summary', 'Name: {name}', 'Write a summary.'),
  pitch: promptOf('pitch', 'Summary: {summary}', 'Write one sentence.'),
  strengths: promptOf('strengths', 'Summary: {summary}', 'Write a summary of the strengths.'),
  risks: promptOf('risks', 'City: {city}\nSummary: {summary}', 'Write a summary of the risks.'),
  verdict: promptOf('verdict', 'Strengths: {strengths}\nRisks: {risks}', 'Write a summary of both.'),
};

/** AI fields that each AI field reads. */
export const UPSTREAM: Readonly<Record<string, readonly string[]>> = {
  summary: [],
  pitch: ['summary'],
  strengths: ['summary'],
  risks: ['summary'],
  verdict: ['strengths', 'risks'],
};

export const AI_FIELDS = Object.keys(PROMPTS);
/** Enough for any answer of the simulator to these prompts, and little, so that a hold is little. */
const MAX_TOKENS = 150;

export function stormFields(): FieldSpec[] {
  const generated = AI_FIELDS.map((slug) => ai(slug, { prompt: PROMPTS[slug], max_tokens: MAX_TOKENS }));
  return [plain('name'), plain('city'), ...generated];
}

/** The prompt that a field has for these values of a record. */
export function expandedPrompt(slug: string, recordId: string, data: Record<string, unknown>): string {
  return PROMPTS[slug]!.replace(/\{(\w+)\}/g, (_, name: string) =>
    name === 'record_id' ? recordId : String(data[name] ?? ''),
  );
}

/** The record and the field that a prompt was made for, as one key. */
export function subjectOfPrompt(prompt: string): string {
  const found = /^Field: (\w+)\nRecord: (\S+)\n/.exec(prompt);
  if (!found) throw new Error(`A call that no field of the storm makes: ${prompt.slice(0, 200)}`);
  return subjectKey(found[2]!, found[1]!);
}

export function subjectKey(recordId: string, field: string): string {
  return `${recordId}/${field}`;
}

function promptOf(slug: string, facts: string, task: string): string {
  return `Field: ${slug}\nRecord: {record_id}\n${facts}\n${task}`;
}
