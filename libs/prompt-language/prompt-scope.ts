import { distance } from 'fastest-levenshtein';
import type { HostField } from '#libs/host';

/** What a prompt may name. */
export interface PromptScope {
  /** The pipeline's fields in order; empty for templates and workflow nodes. */
  fields: readonly HostField[];
  /** Context variables such as `record_id`; a field of the same name wins. */
  variables: readonly string[];
  /** Slug of each excluded field with the reason, for the message. A `sensitive` field is excluded without it. */
  excluded?: ReadonlyMap<string, string>;
  /** Whether `{*}` covers `ai_generated` fields; default false. */
  includeAiFields?: boolean;
  /** The path that errors name; default `prompt`. */
  path?: string;
  /** Slug of the field that is being configured: a reference to it is an error, and `{*}` never covers it. */
  self?: string;
}

/** What a name at the root of a template stands for; `refused` says why it cannot be used. */
export type Meaning =
  | { kind: 'field'; field: HostField }
  | { kind: 'variable' }
  | { kind: 'refused'; reason: string }
  | { kind: 'unknown' };

const SUGGESTIONS = 3;
const LONGEST_MISSPELLING = 80;

/** The names of a {@link PromptScope}. */
export class Names {
  private readonly fields: ReadonlyMap<string, HostField>;
  private readonly variables: ReadonlySet<string>;

  constructor(private readonly scope: PromptScope) {
    this.fields = new Map(scope.fields.map((field) => [field.slug, field]));
    this.variables = new Set(scope.variables);
  }

  isKnown(name: string): boolean {
    return this.fields.has(name) || this.variables.has(name);
  }

  meaningOf(name: string): Meaning {
    if (name === this.scope.self) return { kind: 'refused', reason: 'a field cannot be made from itself' };
    const field = this.fields.get(name);
    const reason = this.exclusion(name, field);
    if (reason !== undefined) return { kind: 'refused', reason: `it is excluded from prompts: ${reason}` };
    if (field) return { kind: 'field', field };
    return { kind: this.variables.has(name) ? 'variable' : 'unknown' };
  }

  /** The fields that `{*}` covers, in their order. */
  coveredByAll(): HostField[] {
    return this.scope.fields.filter(
      (field) =>
        this.meaningOf(field.slug).kind === 'field' &&
        (this.scope.includeAiFields === true || field.fieldType !== 'ai_generated'),
    );
  }

  /** A sentence that suggests the usable names nearest to an unknown one; empty where none is near. */
  suggestion(unknown: string): string {
    const usable = [...this.fields.keys(), ...this.variables].filter(
      (name) => this.meaningOf(name).kind !== 'refused',
    );
    return didYouMean(unknown, usable);
  }

  private exclusion(name: string, field: HostField | undefined): string | undefined {
    const reason = this.scope.excluded?.get(name);
    return reason ?? (field?.sensitive ? 'it is marked sensitive' : undefined);
  }
}

/** ` Did you mean "a" or "b"?` with the nearest of the given names, or an empty text where none is near. */
export function didYouMean(unknown: string, names: Iterable<string>): string {
  if (unknown.length > LONGEST_MISSPELLING) return '';
  const near = [...new Set(names)]
    .map((name) => ({ name, far: farness(unknown.toLowerCase(), name.toLowerCase()) }))
    .filter(({ far }) => far <= Math.max(2, Math.ceil(unknown.length / 3)))
    .sort((a, b) => a.far - b.far || (a.name < b.name ? -1 : 1))
    .slice(0, SUGGESTIONS)
    .map(({ name }) => JSON.stringify(name));
  return near.length > 0 ? ` Did you mean ${near.join(' or ')}?` : '';
}

/** Edit distance, where one name that is whole parts of the other (`company`, `company_name`) counts as near. */
function farness(a: string, b: string): number {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  return `_${long}_`.includes(`_${short}_`) ? Math.min(2, distance(a, b)) : distance(a, b);
}
