import { randomBytes } from 'node:crypto';
import { EventReader } from './event-reader.js';

/** JSON of an answer; tests look into it freely. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Body = any;

export interface Answer {
  status: number;
  headers: Headers;
  body: Body;
}

/** How long a test waits for something that must happen; only a broken product gets there. */
const PATIENCE_MS = 30_000;
/** States that a value with work to do goes through. */
const UNSETTLED = ['queued', 'generating'];

/** A signed-in client of the product. */
export class Api {
  private reader: EventReader | undefined;

  constructor(
    readonly url: string,
    readonly token: string,
    readonly tenantId: string,
    readonly userId: string,
  ) {}

  /** Registers a tenant of the test's own and signs its owner in. */
  static async register(url: string, name = 'Tenant'): Promise<Api> {
    const email = `${randomBytes(8).toString('hex')}@example.com`;
    const { body } = await request(url, 'POST', '/auth/register', {
      tenant_name: name,
      email,
      password: 'correct horse',
    });
    return new Api(url, body.token, body.tenant.id, body.user.id);
  }

  /** The same user at another process, or after a restart. */
  at(url: string): Api {
    return new Api(url, this.token, this.tenantId, this.userId);
  }

  /** A further user of the tenant with that role, signed in. */
  async as(role: 'owner' | 'admin' | 'editor' | 'viewer'): Promise<Api> {
    const email = `${role}-${randomBytes(8).toString('hex')}@example.com`;
    const password = 'correct horse';
    await this.ok('POST', '/users', { email, password, role });
    const { body } = await request(this.url, 'POST', '/auth/login', { email, password });
    return new Api(this.url, body.token, body.tenant.id, body.user.id);
  }

  /** Any call with any outcome. */
  call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return request(this.url, method, path, body, { authorization: `Bearer ${this.token}`, ...headers });
  }

  /** A call that must succeed. @returns its body. */
  async ok(method: string, path: string, body?: unknown): Promise<Body> {
    const answer = await this.call(method, path, body);
    if (answer.status >= 300) {
      throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    }
    return answer.body;
  }

  get(path: string): Promise<Body> {
    return this.ok('GET', path);
  }

  post(path: string, body: unknown = {}): Promise<Body> {
    return this.ok('POST', path, body);
  }

  patch(path: string, body: unknown): Promise<Body> {
    return this.ok('PATCH', path, body);
  }

  /** Asks again at every event of the tenant until the answer is there: waits on progress, not on time. */
  async until<T>(what: string, ask: () => Promise<T | undefined | false>): Promise<T> {
    this.reader ??= await EventReader.open(this.url, this.token);
    const late = Date.now() + PATIENCE_MS;
    for (;;) {
      const woken = this.reader.next();
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
      if (Date.now() > late) throw new Error(`Waited in vain until ${what}`);
      await Promise.race([woken, soon()]);
    }
  }

  /** Waits until no AI value of the record has work to do. @returns the record. */
  async settled(recordId: string): Promise<Body> {
    try {
      return await this.until(`record ${recordId} is settled`, async () => {
        const record = await this.get(`/records/${recordId}`);
        const states = Object.values<{ state: string }>(record.ai).map(({ state }) => state);
        return states.some((state) => UNSETTLED.includes(state)) ? undefined : record;
      });
    } catch (error) {
      const { body } = await this.call('GET', `/ai-jobs?record_id=${recordId}`);
      throw new Error(`${(error as Error).message}; its jobs: ${JSON.stringify(body)}`, { cause: error });
    }
  }

  /** Waits until a job has ended. @returns it. */
  job(id: string): Promise<Body> {
    return this.until(`job ${id} has ended`, async () => {
      const job = await this.get(`/ai-jobs/${id}`);
      return ['pending', 'processing'].includes(job.status) ? undefined : job;
    });
  }

  async events(lastEventId?: string): Promise<EventReader> {
    return EventReader.open(this.url, this.token, lastEventId);
  }

  close(): void {
    this.reader?.close();
    this.reader = undefined;
  }
}

/** The net below lost events, and the pace where a process that was killed sends none. */
function soon(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 200).unref());
}

/** One HTTP request with a JSON body. */
export async function request(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const raw = typeof body === 'string' || body instanceof Uint8Array;
  const response = await fetch(`${url}/api/v1${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    body: body === undefined || raw ? body : JSON.stringify(body),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') ?? false;
  return {
    status: response.status,
    headers: response.headers,
    body: isJson && text ? (JSON.parse(text) as Body) : text,
  };
}
