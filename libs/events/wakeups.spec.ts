import type { DataSource } from 'typeorm';
import { Wakeups } from './wakeups.js';

/** What Postgres refuses to carry. */
const TOO_LONG = 8_000;

describe('Wakeups', () => {
  it('tells other processes of any number of tenants, however long their ids are', async () => {
    const woken = { jobs: ['a short one'], events: [] as string[] };
    for (let n = 0; n < 300; n++) {
      woken.jobs.push(`${n}-${'ü'.repeat(20)}`);
      woken.events.push(`${n}-${'"'.repeat(200)}`);
    }
    const told = { jobs: [] as string[], events: [] as string[] };
    const all = new Promise<void>((resolve) => {
      const query = (_: string, [, payload]: [string, string]): Promise<void> => {
        if (Buffer.byteLength(payload) >= TOO_LONG)
          return Promise.reject(new Error('payload string too long'));
        const message = JSON.parse(payload) as Partial<typeof told>;
        told.jobs.push(...(message.jobs ?? []));
        told.events.push(...(message.events ?? []));
        if (told.jobs.length + told.events.length === 601) resolve();
        return Promise.resolve();
      };
      const wakeups = new Wakeups({ query } as unknown as DataSource);
      for (const topic of ['jobs', 'events'] as const)
        for (const tenantId of woken[topic]) wakeups.wake(topic, tenantId);
    });
    await all;
    expect(told).toEqual(woken);
  });
});
