import type { ErrorDetail } from '#libs/common';

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const EPOCH = new Date(0);

/** Reads the members of one price entry, noting whatever is wrong with them under the entry's place and name. */
export class EntryReader {
  private readonly members: Record<string, unknown>;
  private name = '';

  constructor(
    entry: unknown,
    private readonly path: string,
    private readonly errors: ErrorDetail[],
  ) {
    const isObject = typeof entry === 'object' && entry !== null && !Array.isArray(entry);
    this.members = isObject ? (entry as Record<string, unknown>) : {};
    if (!isObject) this.errors.push({ path, message: 'must be an object' });
  }

  /** What messages call the entry from here on. */
  nameAs(name: string): void {
    this.name = name;
  }

  fail(key: string, message: string): void {
    this.errors.push({
      path: `${this.path}.${key}`,
      message: this.name ? `${message} (${this.name})` : message,
    });
  }

  keys(): string[] {
    return Object.keys(this.members);
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  refuseUnknown(known: readonly string[]): void {
    for (const key of this.keys())
      if (!known.includes(key)) this.fail(key, `is unknown: use one of ${known.join(', ')}`);
  }

  text(key: string): string {
    const value = this.get(key);
    if (typeof value === 'string' && value.trim() !== '') return value;
    this.fail(key, 'must be a text that is not empty');
    return '';
  }

  texts(key: string): string[] {
    const value = this.get(key);
    if (Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== ''))
      return value as string[];
    this.fail(key, 'must be a list of texts');
    return [];
  }

  /** Midnight UTC of a day. */
  date(key: string): Date {
    const value = this.get(key);
    const date = typeof value === 'string' && DATE.test(value) ? new Date(`${value}T00:00:00Z`) : undefined;
    if (date && !Number.isNaN(date.getTime()) && date.toISOString().startsWith(String(value))) return date;
    this.fail(key, 'must be a day that exists, as YYYY-MM-DD');
    return EPOCH;
  }

  /** A whole number above zero. */
  count(key: string): number {
    const value = this.get(key);
    if (Number.isSafeInteger(value) && (value as number) > 0) return value as number;
    this.fail(key, 'must be a whole number above 0');
    return 1;
  }

  /** Whole nano-USD, or null for a price that is not published; it must be written out either way. */
  amount(key: string): bigint | null {
    const value = this.get(key);
    if (value === null) return null;
    if (Number.isSafeInteger(value) && (value as number) >= 0) return BigInt(value as number);
    this.fail(key, 'must be whole nano-USD of 0 or more, or null if it is not published');
    return null;
  }

  object(key: string): EntryReader {
    const reader = new EntryReader(this.get(key), `${this.path}.${key}`, this.errors);
    reader.nameAs(this.name);
    return reader;
  }

  private get(key: string): unknown {
    return Object.hasOwn(this.members, key) ? this.members[key] : undefined;
  }
}
