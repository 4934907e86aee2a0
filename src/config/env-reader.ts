/** Variables as `process.env` holds them. */
export type Env = Readonly<Record<string, string | undefined>>;

interface Range {
  min: number;
  max: number;
  fallback: number;
}

const KEY = /^[A-Za-z0-9+/_-]{43}=?$/;

/** Reads variables one by one and collects what is wrong with them. An empty variable counts as unset. */
export class EnvReader {
  readonly problems: string[] = [];

  constructor(private readonly env: Env) {}

  text(name: string): string | undefined {
    const value = this.env[name]?.trim();
    return value === '' ? undefined : value;
  }

  integer(name: string, { min, max, fallback }: Range): number {
    const value = this.text(name);
    if (value === undefined) return fallback;
    const number = /^-?\d{1,15}$/.test(value) ? Number(value) : NaN;
    if (number >= min && number <= max) return number;
    this.refuse(name, value, `must be a whole number from ${min} to ${max}; unset it for ${fallback}`);
    return fallback;
  }

  /** A whole number that has no default: unset is a state of its own. */
  optionalInteger(name: string, { min, max }: Omit<Range, 'fallback'>): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const number = /^\d{1,15}$/.test(value) ? Number(value) : NaN;
    if (number >= min && number <= max) return number;
    this.refuse(name, value, `must be a whole number from ${min} to ${max}; unset it for no limit`);
    return undefined;
  }

  decimal(name: string, { min, max, fallback }: Range): number {
    const value = this.text(name);
    if (value === undefined) return fallback;
    const number = /^-?\d{1,15}(\.\d{1,15})?$/.test(value) ? Number(value) : NaN;
    if (number >= min && number <= max) return number;
    this.refuse(name, value, `must be a number from ${min} to ${max}; unset it for ${fallback}`);
    return fallback;
  }

  /** Decimal cents, to the seventh place, that have no default: unset is a state of its own. */
  optionalCents(name: string, max: number): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const number = /^\d{1,15}(\.\d{1,7})?$/.test(value) ? Number(value) : NaN;
    if (number <= max) return number;
    this.refuse(name, value, `must be cents from 0 to ${max}; unset it for no limit`);
    return undefined;
  }

  oneOf<T extends string>(name: string, choices: readonly T[], fallback: T): T {
    const value = this.text(name);
    if (value === undefined) return fallback;
    const choice = choices.find((candidate) => candidate === value.toLowerCase());
    if (choice) return choice;
    this.refuse(name, value, `must be one of ${choices.join(', ')}; unset it for ${fallback}`);
    return fallback;
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.text(name)?.toLowerCase();
    if (value === undefined) return fallback;
    if (value === '1' || value === 'true') return true;
    if (value === '0' || value === 'false') return false;
    this.refuse(name, value, 'must be 1 or 0');
    return fallback;
  }

  /** A complete URL of one of the schemes. URLs may hold passwords, so the value is never repeated. */
  url(name: string, schemes: readonly string[], example: string): string | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (URL.canParse(value) && schemes.includes(new URL(value).protocol)) return value;
    this.problem(name, `must be a complete URL such as ${example}`);
    return undefined;
  }

  /** 32 bytes in base64, standard or URL-safe. The value is never repeated. */
  key(name: string): Buffer | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (KEY.test(value)) return Buffer.from(value, 'base64');
    this.problem(name, 'must be 32 bytes in base64; make one with: openssl rand -base64 32');
    return undefined;
  }

  /** Any number of keys of 32 bytes in base64. No value is repeated. */
  keyList(name: string): readonly Buffer[] {
    const values = this.list(name);
    if (values.every((value) => KEY.test(value))) return values.map((value) => Buffer.from(value, 'base64'));
    this.problem(name, 'must be keys of 32 bytes in base64, separated by commas');
    return [];
  }

  /** A text of at least so many characters, none of them a space. The value is never repeated. */
  secret(name: string, minLength: number): string | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (value.length >= minLength && !/\s/.test(value)) return value;
    this.problem(
      name,
      `must have at least ${minLength} characters and no spaces; make one with: openssl rand -hex 32`,
    );
    return undefined;
  }

  list(name: string): string[] {
    return (this.text(name) ?? '').split(/[\s,]+/).filter((entry) => entry !== '');
  }

  refuse(name: string, value: string, remedy: string): void {
    this.problem(name, `is ${JSON.stringify(value.slice(0, 100))} but ${remedy}`);
  }

  problem(name: string, what: string): void {
    this.problems.push(`${name} ${what}.`);
  }
}
