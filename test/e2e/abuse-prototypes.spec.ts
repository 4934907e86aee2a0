import { randomUUID } from 'node:crypto';
import type { Answer, Api } from '../support/api.js';
import { addRecord, generate, plain } from '../support/pipelines.js';
import type { Stage } from '../support/stage.js';
import { expectUnharmed, setTarget } from '../support/target.js';

const POLLUTING = ['__proto__', 'constructor', 'prototype'];

describe('JSON that reaches for a prototype', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;
  let recordId: string;

  beforeAll(async () => {
    ({ stage, api, pipelineId, recordId } = await setTarget());
  });

  afterAll(() => stage.close());

  afterEach(() => expectUnharmed(stage));

  const invalid = ({ status, body }: Answer): unknown[] => [status, body.code];

  /** What the text of JSON has, which an object literal would not. */
  const polluted = (key: string) => `{"${key}": {"polluted": true, "role": "owner", "sensitive": false}}`;

  afterEach(async () => {
    // Whatever was polluted would show wherever an object is made.
    expect(JSON.stringify(await api.get(`/records/${recordId}`))).not.toContain('polluted');
    // And would stand in for what a body leaves out.
    const roleless = { email: `${randomUUID()}@example.com`, password: 'correct horse' };
    expect(invalid(await api.call('POST', '/users', roleless))).toEqual([422, 'invalid_input']);
  });

  it.each(POLLUTING)('is refused in every body: %s', async (key) => {
    const evil = polluted(key);
    const field = (options: string) =>
      `{"name": "X", "slug": "x", "field_type": "ai_generated", "ai_config": ${options}}`;
    for (const [method, path, body] of [
      ['POST', `/pipelines/${pipelineId}/records`, `{"data": ${evil}}`],
      ['POST', `/pipelines/${pipelineId}/records`, `{"data": {"name": "Eve", "list": [${evil}]}}`],
      ['PATCH', `/records/${recordId}`, `{"data": {"list": {"a": ${evil}}}}`],
      ['PATCH', `/records/${recordId}`, `{"data": {}, "${key}": {"expected_version": 1}}`],
      ['POST', `/pipelines/${pipelineId}/fields`, field(evil)],
      ['POST', `/pipelines/${pipelineId}/fields`, field(`{"prompt": "x", "output_schema": ${evil}}`)],
      ['POST', `/pipelines/${pipelineId}/fields`, field(`{"prompt": "x", "options": ${evil}}`)],
      [
        'POST',
        `/pipelines/${pipelineId}/fields`,
        `{"name": "X", "slug": "x", "field_type": "select", "options": ${evil}}`,
      ],
      ['PATCH', '/ai-settings', evil],
      ['POST', '/ai-fields/preview', `{"pipeline_id": "${pipelineId}", "ai_config": ${evil}}`],
      [
        'POST',
        '/workflow-ai',
        `{"node_config": {"node_id": "n", "prompt": "{{a}}"}, "workflow_context": ${evil}, "execution_id": "e"}`,
      ],
      ['POST', `/pipelines/${pipelineId}/ai/facts/generate`, `{"scope": "all", "filter": ${evil}}`],
    ] as const) {
      const answer = await api.call(method, path, body);
      expect([path, body, ...invalid(answer)]).toEqual([path, body, 422, 'invalid_input']);
    }
  });

  it.each(POLLUTING)('is no column of an import: %s', async (key) => {
    const csv = { 'content-type': 'text/csv' };
    const answer = await api.call('POST', `/pipelines/${pipelineId}/import`, `name,${key}\nEve,1\n`, csv);
    expect([answer.status, answer.body.errors?.[0]?.path]).toEqual([422, 'header.2']);
  });

  it.each(POLLUTING)('is no field and no name in a prompt: %s', async (key) => {
    const slug = await api.call('POST', `/pipelines/${pipelineId}/fields`, plain(key));
    expect(slug.status).toBe(422);
    for (const prompt of [`{{${key}}}`, `{{name.${key}}}`, `{{#with name}}{{${key}}}{{/with}}`]) {
      const draft = {
        pipeline_id: pipelineId,
        record_id: recordId,
        ai_config: { prompt, model: 'gpt-4o-mini' },
      };
      const answer = await api.call('POST', '/ai-fields/preview', draft);
      expect([prompt, answer.status]).toEqual([prompt, 422]);
    }
  });

  it.each(POLLUTING)('changes nothing in the answer of a provider: %s', async (key) => {
    const text = `{"city": "Ulm", "${key}": {"polluted": true, "state": "ready"}}`;
    stage.simulator.script([{ times: 1, action: { type: 'answer', text } }]);
    const { id } = await addRecord(api, pipelineId, { name: `Ada ${key}` });
    const job = await generate(api, id, 'facts', true);
    expect(job.status).toBe('completed');
    const { data } = await api.get(`/records/${id}`);
    expect(data.facts.city).toBe('Ulm');
    expect(Object.keys(data.facts)).toEqual(key === '__proto__' ? ['city'] : ['city', key]);
    const fresh = await addRecord(api, pipelineId, { name: 'Fresh' });
    expect(JSON.stringify(fresh)).not.toContain('polluted');
  });
});
