import { randomBytes } from 'node:crypto';
import { Api, request } from '../support/api.js';
import { EventReader } from '../support/event-reader.js';
import { addPipeline, ai, generate, plain, type FieldSpec } from '../support/pipelines.js';
import type { Stage } from '../support/stage.js';

/** A prompt that is the same for everybody, so that whoever shares results shares this one's. */
export const SHARED_PROMPT = 'Say something about nobody in particular.';

/** In a prompt: the provider cuts the connection, so that nobody knows what the call cost. */
export const CUT = 'cut me off';
/** In a prompt: the answer costs more than was held for it. */
export const DEAR = 'be verbose';
/** In a prompt: the answer waits until the test lets it go. */
export const HELD = 'take your time';
/** The model that a dear answer stops; no other call goes to it. */
export const STOPPED_MODEL = 'gpt-4.1-nano';

/** A text that came to a tenant, and what the tenant had sent to get it. */
export interface Received {
  what: string;
  text: string;
  sent: string;
}

/** One of two tenants: everything it writes bears its mark, and everything it is told is kept. */
export class Side {
  readonly received: Received[] = [];
  private words = 0;

  private constructor(
    readonly mark: string,
    readonly api: Api,
    private readonly events: EventReader,
    readonly providerUrl: string,
  ) {}

  /** Registers the tenant and gives it a key and something in every place that other things are found through. */
  static async open(stage: Stage, end: 'a' | 'b'): Promise<Side> {
    const mark = `zq${randomBytes(4).toString('hex')}${end}`;
    const { body } = await request(stage.product.url, 'POST', '/auth/register', {
      tenant_name: `${mark} and sons`,
      email: emailOf(mark),
      password: passwordOf(mark),
    });
    const api = new Api(stage.product.url, body.token, body.tenant.id, body.user.id);
    return new Side(mark, api, await api.events(), stage.providerUrl);
  }

  /** Something of everything that can be asked for, changed or taken away, and a value whose prompt everybody has. */
  async settleIn(): Promise<void> {
    const { api } = this;
    for (const provider of ['openai', 'openai_compatible'])
      await api.ok('PUT', `/provider-keys/${provider}`, this.key());
    await api.ok('PUT', '/model-prices', this.price());
    for (const role of ['viewer', 'editor'])
      await api.post('/users', { email: `${this.word()}@example.com`, password: this.word(), role });
    const fields = [...this.fields(), plain('extra_field')];
    const pipeline = await addPipeline(api, fields, `${this.word()} leads`);
    await addPipeline(api, this.fields(), this.word());
    const add = () => api.post(`/pipelines/${pipeline}/records`, { data: { name: this.word() } });
    const [{ id }] = [await add(), await add()];
    await generate(api, id, 'shared');
    await api.job(await this.ask('gpt-4o-mini', CUT));
    await api.job(await this.ask(STOPPED_MODEL, DEAR));
    await this.ask('gpt-4o-mini', HELD);
    await api.ok('PUT', '/budgets/tenant/self', { limit_cents: 50 });
    await api.ok('PUT', `/budgets/field/${pipeline}:summary`, { limit_cents: 20 });
    await api.post(`/pipelines/${pipeline}/ai/summary/generate`, { scope: 'all' });
    const { data } = await api.settled(id);
    if (data.shared !== this.sharedAnswer)
      throw new Error(`${this.mark} has the answer of somebody else: ${data.shared}`);
    await api.patch(`/records/${id}`, { data: { summary: this.word() } });
  }

  /** @returns the job. */
  private async ask(model: string, words: string): Promise<string> {
    const { job_id: id } = await this.api.post('/workflow-ai', {
      node_config: { node_id: 'node', model, prompt: `${this.word()}: ${words}`, max_tokens: 50 },
      workflow_context: {},
      execution_id: this.word(),
    });
    return id as string;
  }

  /** A word that nobody else has, with letters and digits alone: it may stand in a name, a value, an address. */
  word(): string {
    return `${this.mark}w${++this.words}`;
  }

  get email(): string {
    return emailOf(this.mark);
  }

  get password(): string {
    return passwordOf(this.mark);
  }

  /** Its last four characters tell whose it is. */
  key(): Record<string, string> {
    return { api_key: `sk-${this.mark}`, base_url: `${this.providerUrl}/v1` };
  }

  price(): Record<string, unknown> {
    return { provider: 'openai_compatible', model: this.mark, context_window: 8192, input: 3, output: 7 };
  }

  get keyEnd(): string {
    return this.mark.slice(-4);
  }

  /** What the provider answers to {@link SHARED_PROMPT} under this tenant's key. */
  get sharedAnswer(): string {
    return `${this.mark} says so.`;
  }

  fields(): FieldSpec[] {
    return [
      plain('name', { name: `${this.word()} name` }),
      plain('note', { field_type: 'textarea' }),
      plain('kind', { field_type: 'select', options: { choices: [this.mark, `${this.mark} too`] } }),
      ai('summary', { prompt: `${this.word()}: summarise {name}, {*}` }),
      ai('shared', { prompt: SHARED_PROMPT }),
      ai('facts', { prompt: `${this.word()}: facts of {summary}`, output_type: 'json', max_tokens: 200 }),
    ];
  }

  /** Keeps the events that have come, and takes no more. */
  leave(): void {
    for (const event of this.events.events)
      this.received.push({ what: `event ${event.type}`, text: JSON.stringify(event), sent: '' });
    this.events.close();
    this.api.close();
  }
}

function emailOf(mark: string): string {
  return `${mark}@example.com`;
}

function passwordOf(mark: string): string {
  return `${mark} horse`;
}
