import fc from 'fast-check';
import { GatheredCalls } from './gathered-calls.js';

/** Answers each request with its double, when it is told to. */
class Sender {
  readonly sent: number[][] = [];
  private readonly open: (() => void)[] = [];
  refused: number | undefined;

  readonly send = async (requests: number[]): Promise<number[]> => {
    this.sent.push(requests);
    await new Promise<void>((resolve) => this.open.push(resolve));
    if (requests.includes(this.refused!)) throw new Error(`no ${this.refused}`);
    return requests.map((n) => n * 2);
  };

  async answer(): Promise<boolean> {
    const next = this.open.shift();
    next?.();
    await new Promise((resolve) => setImmediate(resolve));
    return next !== undefined;
  }
}

describe('GatheredCalls', () => {
  it('sends a lonely request at once, and what comes meanwhile together', async () => {
    const sender = new Sender();
    const gathered = new GatheredCalls(sender.send);
    const results = [1, 2, 3].map((n) => gathered.ask('a', n));
    expect(sender.sent).toEqual([[1]]);
    await sender.answer();
    expect(sender.sent).toEqual([[1], [2, 3]]);
    await sender.answer();
    expect(await Promise.all(results)).toEqual([2, 4, 6]);
    void gathered.ask('a', 4);
    expect(sender.sent.at(-1)).toEqual([4]);
  });

  it('keeps kinds apart: none waits for another', () => {
    const sender = new Sender();
    const gathered = new GatheredCalls(sender.send);
    void gathered.ask('a', 1);
    void gathered.ask('b', 2);
    expect(sender.sent).toEqual([[1], [2]]);
  });

  it('asks for each alone where one of several fails', async () => {
    const sender = new Sender();
    sender.refused = 3;
    const gathered = new GatheredCalls(sender.send);
    const results = Promise.allSettled([1, 2, 3, 4].map((n) => gathered.ask('a', n)));
    while (await sender.answer());
    expect(sender.sent).toEqual([[1], [2, 3, 4], [2], [3], [4]]);
    expect((await results).map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
  });

  it('asks nothing again where the error is every one’s', async () => {
    const sender = new Sender();
    sender.refused = 3;
    const gathered = new GatheredCalls(sender.send, () => true);
    const results = Promise.allSettled([1, 2, 3].map((n) => gathered.ask('a', n)));
    while (await sender.answer());
    expect(sender.sent).toEqual([[1], [2, 3]]);
    expect((await results).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
  });

  it('answers every request with its own result, never two of a kind at once', async () => {
    const steps = fc.array(fc.oneof(fc.record({ kind: fc.constantFrom('a', 'b') }), fc.constant('answer')), {
      maxLength: 300,
    });
    await fc.assert(
      fc.asyncProperty(steps, async (list) => {
        const sender = new Sender();
        const gathered = new GatheredCalls(sender.send);
        const asked: { n: number; result: Promise<number> }[] = [];
        for (const [n, step] of list.entries()) {
          if (step === 'answer') await sender.answer();
          else asked.push({ n, result: gathered.ask((step as { kind: string }).kind, n) });
        }
        while (await sender.answer());
        for (const { n, result } of asked) expect(await result).toBe(n * 2);
        const sentOnce = sender.sent.flat().toSorted((a, b) => a - b);
        expect(sentOnce).toEqual(asked.map(({ n }) => n));
      }),
    );
  });
});
