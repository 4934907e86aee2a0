import { request } from 'node:http';
import { createSimulator, type Simulator } from './index.js';
import { isLoopback } from './server/control-api.js';

let simulator: Simulator;
let url: string;

beforeEach(async () => {
  simulator = createSimulator({ maxLog: 2 });
  ({ url } = await simulator.listen());
});
afterEach(() => simulator.close());

const control = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  fetch(`${url}/_simulator${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

function ask(prompt = 'Hello'): Promise<Response> {
  const body = JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: prompt }] });
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: 'Bearer sk-abcd' },
    body,
  });
}

describe('control API', () => {
  it('sets and clears the script', async () => {
    const set = await control('POST', '/script', { rules: [{ action: { type: 'error', status: 503 } }] });
    expect([set.status, await set.json()]).toEqual([200, { rules: 1 }]);
    expect((await ask()).status).toBe(503);
    await control('POST', '/script', [{ action: { type: 'error', status: 500 } }]);
    expect((await ask()).status).toBe(500);
    await control('DELETE', '/script');
    expect((await ask()).status).toBe(200);
  });

  it('names what is wrong with a script and keeps the old one', async () => {
    simulator.script([{ action: { type: 'error', status: 503 } }]);
    const refused = await control('POST', '/script', [{ action: { type: 'boom' } }]);
    expect([refused.status, await refused.json()]).toEqual([
      400,
      { error: { message: expect.stringContaining('rules[0].action.type') } },
    ]);
    expect((await fetch(`${url}/_simulator/script`, { method: 'POST', body: '{' })).status).toBe(400);
    expect((await ask()).status).toBe(503);
  });

  it('shows, bounds and clears the log', async () => {
    for (const prompt of ['One', 'Two', 'Three']) await (await ask(prompt)).text();
    const { items, received } = (await (await control('GET', '/requests?after=2')).json()) as {
      items: unknown[];
      received: number;
    };
    expect(received).toBe(3);
    expect(items).toMatchObject([
      {
        seq: 3,
        path: '/v1/chat/completions',
        api_key_last_four: 'abcd',
        body: { messages: [{ content: 'Three' }] },
        answer: {
          status: 200,
          text: expect.stringContaining('Three'),
          usage: { input_tokens: expect.any(Number) },
          complete: true,
        },
        disconnected: false,
      },
    ]);
    expect(simulator.requests().map(({ seq }) => seq)).toEqual([2, 3]);
    await control('DELETE', '/requests');
    expect(simulator.requests()).toEqual([]);
    expect((await control('GET', '/requests?after=x')).status).toBe(400);
  });

  it('answers a long poll when enough requests have come, and releases them', async () => {
    simulator.script([{ action: { type: 'hold' } }]);
    const waiting = control('GET', '/requests/wait?count=2');
    const asked = [ask(), ask()];
    expect(await (await waiting).json()).toEqual({ received: 2 });
    expect(await (await control('POST', '/release', { count: 1 })).json()).toEqual({ released: 1 });
    expect(await (await control('POST', '/release')).json()).toEqual({ released: 1 });
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200]);
    expect((await control('POST', '/release', { count: 'all' })).status).toBe(400);
    expect((await control('GET', '/requests/wait?count=3&timeout_ms=1')).status).toBe(408);
  });

  it('lists its calls where there is no such call', async () => {
    expect((await control('GET', '/nothing')).status).toBe(404);
  });

  it('is closed to web pages and to other names of this machine', async () => {
    expect((await control('GET', '/requests', undefined, { origin: 'https://evil.example' })).status).toBe(
      403,
    );
    const status = await new Promise((resolve, reject) => {
      request(`${url}/_simulator/requests`, { headers: { host: 'evil.example' } }, (res) =>
        resolve(res.resume().statusCode),
      )
        .on('error', reject)
        .end();
    });
    expect(status).toBe(403);
  });

  it('is no part of the server where it is off', async () => {
    const closed = createSimulator({ control: false });
    const { url: other } = await closed.listen();
    expect(
      (await fetch(`${other}/_simulator/requests`, { headers: { authorization: 'Bearer k' } })).status,
    ).toBe(404);
    await closed.close();
  });
});

describe('isLoopback', () => {
  it.each(['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1'])('%s is', (address) =>
    expect(isLoopback(address)).toBe(true),
  );
  it.each(['10.0.0.1', '127.0.0.1.evil.example', '127.1', '::2', '', '0.0.0.0'])('%s is not', (address) =>
    expect(isLoopback(address)).toBe(false),
  );
});

describe('listen', () => {
  it('rejects where the port is taken', async () => {
    const second = createSimulator();
    await expect(second.listen(Number(new URL(url).port))).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await second.close();
  });
});
