import { LANE, type JobHint, type Lane } from '../../jobs/job.js';
import { InProcessDelivery } from './in-process-delivery.js';

/** A handler whose jobs end when the test says so. */
function controlled() {
  const started: { lane: Lane; id: string; end: () => void }[] = [];
  const handler = (lane: Lane, hint: JobHint): Promise<void> =>
    new Promise((resolve) => started.push({ lane, id: hint.jobId, end: resolve }));
  return { started, handler };
}

const hints = (prefix: string, count: number): JobHint[] =>
  Array.from({ length: count }, (_, i) => ({ tenantId: 't', jobId: `${prefix}${i}` }));

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('InProcessDelivery', () => {
  it('lets backfill have four fifths of the slots, so that an edit finds one free', async () => {
    const { started, handler } = controlled();
    const delivery = new InProcessDelivery(10);
    await delivery.start(handler, () => undefined);
    await delivery.deliver(LANE.backfill, hints('b', 20));
    expect(started).toHaveLength(8);
    await delivery.deliver(LANE.interactive, hints('e', 1));
    expect(started.at(-1)).toMatchObject({ lane: LANE.interactive, id: 'e0' });
  });

  it('keeps a fifth for backfill while edits pour in', async () => {
    const { started, handler } = controlled();
    const delivery = new InProcessDelivery(10);
    await delivery.start(handler, () => undefined);
    await delivery.deliver(LANE.interactive, hints('e', 20));
    await delivery.deliver(LANE.backfill, hints('b', 20));
    for (let i = 0; i < 4; i += 1) {
      started[i]!.end();
      await settled();
    }
    const backfill = started.slice(10).filter(({ lane }) => lane === LANE.backfill);
    expect(backfill).toHaveLength(2);
    expect(started).toHaveLength(14);
  });

  it.each([1, 2, 3, 4])(
    'gives every fifth turn to backfill while edits pour in, with slots too few to set one aside: %i',
    async (slots) => {
      const { started, handler } = controlled();
      const delivery = new InProcessDelivery(slots);
      await delivery.start(handler, () => undefined);
      await delivery.deliver(LANE.interactive, hints('e', 100));
      await delivery.deliver(LANE.backfill, hints('b', 100));
      for (let i = 0; i < 50; i += 1) {
        started[i]!.end();
        await settled();
      }
      const turns = started.slice(0, 50).map(({ lane }) => lane);
      for (let turn = 0; turn < 50; turn += 5)
        expect(turns.slice(turn, turn + 5).filter((lane) => lane === LANE.backfill)).toHaveLength(1);
    },
  );

  it('leaves an edit a slot even when a turn of backfill has come, but for the only slot', async () => {
    const { started, handler } = controlled();
    const delivery = new InProcessDelivery(2);
    await delivery.start(handler, () => undefined);
    await delivery.deliver(LANE.backfill, hints('b', 3));
    await delivery.deliver(LANE.interactive, hints('e', 10));
    for (let i = 1; i < 8; i += 1) {
      started[i]!.end();
      await settled();
    }
    expect(started.map(({ id }) => id)).toEqual(['b0', ...Array.from({ length: 8 }, (_, i) => `e${i}`)]);
  });

  it('has backfill fetched for the only slot at its turn, and makes up for one that came late', async () => {
    const { started, handler } = controlled();
    const delivery = new InProcessDelivery(1);
    await delivery.start(handler, () => undefined);
    const turn = async (lane: Lane) => {
      await delivery.deliver(lane, hints('h', 1));
      started.at(-1)!.end();
      await settled();
      return delivery.free(LANE.backfill, true);
    };
    const due: boolean[] = [];
    for (const lane of [0, 0, 0, 0, 0, 1, 0, 0, 0, 1] as const) due.push(await turn(lane));
    expect(due).toEqual([false, false, false, true, true, false, false, false, true, false]);
    expect(delivery.free(LANE.backfill)).toBe(true);
  });

  it('takes nothing after it was stopped and waits for what runs', async () => {
    const { started, handler } = controlled();
    const delivery = new InProcessDelivery(2);
    await delivery.start(handler, () => undefined);
    await delivery.deliver(LANE.interactive, hints('e', 4));
    let stopped = false;
    const left: string[] = [];
    const stopping = delivery
      .stop(60_000, (given) => Promise.resolve(void left.push(...given.map(({ jobId }) => jobId))))
      .then(() => (stopped = true));
    expect(left).toEqual(['e2', 'e3']);
    await expect(delivery.deliver(LANE.interactive, hints('late', 1))).rejects.toThrow('no more');
    expect(delivery.room(LANE.interactive)).toBe(0);
    started[0]!.end();
    await settled();
    expect(stopped).toBe(false);
    started[1]!.end();
    await stopping;
    expect(started).toHaveLength(2);
  });

  it('says in advance what it would work on at once, and takes back what it has not begun', async () => {
    const { started, handler } = controlled();
    const delivery = new InProcessDelivery(5);
    await delivery.start(handler, () => undefined);
    await delivery.deliver(LANE.backfill, hints('b', 4));
    expect([delivery.free(LANE.backfill), delivery.free(LANE.interactive)]).toEqual([false, true]);
    await delivery.deliver(LANE.interactive, hints('e', 1));
    expect(delivery.free(LANE.interactive)).toBe(false);
    await delivery.deliver(LANE.interactive, hints('late', 2));
    expect(delivery.takeBack(LANE.interactive)).toEqual(hints('late', 2));
    started[0]!.end();
    await settled();
    expect(started).toHaveLength(5);
    expect(delivery.free(LANE.backfill)).toBe(true);
  });

  it('takes hints in larger batches once jobs turn out to be short', async () => {
    const delivery = new InProcessDelivery(10);
    await delivery.start(
      () => Promise.resolve(),
      () => undefined,
    );
    expect(delivery.room(LANE.interactive)).toBe(20);
    await delivery.deliver(LANE.interactive, hints('e', 100));
    for (let i = 0; i < 100; i += 1) await settled();
    expect(delivery.room(LANE.interactive)).toBe(50);
  });

  it('goes on after a handler that throws', async () => {
    const seen: string[] = [];
    const delivery = new InProcessDelivery(1);
    await delivery.start(
      (_, hint) => {
        seen.push(hint.jobId);
        return hint.jobId === 'e0' ? Promise.reject(new Error('broken')) : Promise.resolve();
      },
      () => undefined,
    );
    await delivery.deliver(LANE.interactive, hints('e', 2));
    await settled();
    expect(seen).toEqual(['e0', 'e1']);
  });
});
