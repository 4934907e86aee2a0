import type { Api, Body } from './api.js';
import { addPipeline, addRecord, ai, plain } from './pipelines.js';

/** A pipeline with a name and a summary made from it: all that most tests of jobs and money need. */
export class Leads {
  constructor(
    readonly api: Api,
    readonly pipelineId: string,
  ) {}

  /** @param config what the AI field has besides its prompt and model. */
  static async of(api: Api, config: Record<string, unknown> = {}): Promise<Leads> {
    const summary = ai('summary', { prompt: 'Summarise {name}.', ...config });
    return new Leads(api, await addPipeline(api, [plain('name'), summary]));
  }

  /** Adds a lead. @returns the ids of the record and of the job that it made due. */
  async add(name: string, api = this.api): Promise<{ recordId: string; jobId: string }> {
    const record = await addRecord(api, this.pipelineId, { name });
    return { recordId: record.id, jobId: record.ai_processing.triggered_jobs[0].job_id };
  }

  /** Adds a lead and waits for the end of its job. @returns the job. */
  async addDone(name: string, api = this.api): Promise<Body> {
    return api.job((await this.add(name, api)).jobId);
  }

  /** Adds many leads at once. */
  addMany(names: readonly string[]): Promise<{ recordId: string; jobId: string }[]> {
    return Promise.all(names.map((name) => this.add(name)));
  }

  /** How the summary of a lead stands. */
  async valueOf(recordId: string): Promise<Body> {
    const record = await this.api.get(`/records/${recordId}`);
    return { value: record.data.summary, ...record.ai.summary };
  }

  /** The id of the field's budget. */
  get budgetId(): string {
    return `${this.pipelineId}:summary`;
  }
}
