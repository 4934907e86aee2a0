import { setTimeout as wait } from 'node:timers/promises';
import type { Random } from '../../support/random.js';
import type { Progress } from './progress.js';
import type { StormTenant } from './tenants.js';

const AGAIN_MS = 100;
/** A save that fails is tried again until the database is back; only a broken product refuses for so long. */
const PATIENCE_MS = 60_000;
/** Few, so that a record has the same name again now and then, and its values come from the cache. */
const NAMES = 4;
const CITIES = 3;
/** Jobs that end between two edits. */
const JOBS_EACH = 3;
/** Records that every second edit is of, so that edits meet work under way on the same record. */
const POPULAR = 5;

/** People who edit records, whatever happens: one edit for so many jobs that end. */
export class Editor {
  edits = 0;
  /** How often an edit was refused before it was taken. */
  refused = 0;

  constructor(
    private readonly tenants: readonly StormTenant[],
    private readonly random: Random,
    private readonly progress: Progress,
  ) {}

  /**
   * Goes on until so many jobs were made and the signal has come; never lets the jobs run out.
   *
   * @param jobs of all kinds, those that were there before included.
   * @param enough how many jobs are open at least.
   */
  async editUntil(jobs: number, enough: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      const { made } = await this.progress.until('an edit is due', ({ ended, open }) => {
        return this.edits * JOBS_EACH <= ended || open < enough;
      });
      if (made >= jobs && signal.aborted) return;
      await this.edit();
      this.edits++;
    }
  }

  private async edit(): Promise<void> {
    const tenant = this.random.pick(this.tenants);
    const popular = this.random.chance(0.5);
    const recordId = this.random.pick(popular ? tenant.recordIds.slice(0, POPULAR) : tenant.recordIds);
    const data = this.random.chance(0.5)
      ? { name: `${tenant.name} ${this.random.integer(1, NAMES)} of ${recordId.slice(-4)}` }
      : { city: `City ${this.random.integer(1, CITIES)}` };
    await this.save(tenant, recordId, data);
  }

  /** The answer to a save may be lost though the save is not: the same again does no harm. */
  private async save({ api }: StormTenant, recordId: string, data: object): Promise<void> {
    const late = Date.now() + PATIENCE_MS;
    for (;;) {
      const { status, body } = await api.call('PATCH', `/records/${recordId}`, { data });
      if (status === 200) return;
      if (status < 500 || Date.now() > late)
        throw new Error(`An edit was answered ${status}: ${JSON.stringify(body)}`);
      this.refused++;
      await wait(AGAIN_MS);
    }
  }
}
