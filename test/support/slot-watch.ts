import type { Simulator } from '#libs/llm-simulator';
import type { TestDatabase } from './database.js';

const WATCH = `
  CREATE TABLE test_slots (key text, used int);
  CREATE FUNCTION test_watch_slots() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
  BEGIN
    INSERT INTO test_slots SELECT NEW.key, count(*) FROM ai_holds h WHERE h.key = NEW.key AND h.state = 'held';
    RETURN NULL;
  END $$;
  CREATE TRIGGER test_watch AFTER INSERT ON ai_holds FOR EACH ROW WHEN (NEW.key IS NOT NULL)
    EXECUTE FUNCTION test_watch_slots()`;

/**
 * Counts the slots in use each time that one is taken, inside the transaction that takes it.
 *
 * @returns asks for the most that were ever in use of a key; 0 where none was.
 */
export async function watchSlots(database: TestDatabase): Promise<(key: string) => Promise<number>> {
  await database.sql(WATCH);
  return async (key) => {
    const sql = 'SELECT coalesce(max(used), 0) AS most FROM test_slots WHERE key = $1';
    const [row] = await database.sql<{ most: number }>(sql, [key]);
    return row!.most;
  };
}

/** Looks every few milliseconds how many calls of a key a provider is working on; {@link stop} tells the most. */
export class InFlightWatch {
  /** The most so far. */
  most = 0;
  private readonly timer = setInterval(() => this.look(), 3);

  constructor(
    private readonly simulator: Simulator,
    private readonly lastFour: string,
  ) {}

  stop(): number {
    clearInterval(this.timer);
    return this.most;
  }

  private look(): void {
    const open = this.simulator
      .requests()
      .filter((request) => request.api_key_last_four === this.lastFour)
      .filter(({ answer, disconnected }) => !answer && !disconnected);
    this.most = Math.max(this.most, open.length);
  }
}
