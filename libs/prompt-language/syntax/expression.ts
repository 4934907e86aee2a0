export interface Literal {
  kind: 'literal';
  at: number;
  value: string | number | boolean | null;
}

export interface Path {
  kind: 'path';
  at: number;
  /** Scopes to go up, one for each `../`. */
  up: number;
  /** Names from there on; empty for `this`, `.` and `..`. */
  segments: string[];
  /** Whether it is a bare word, which alone can be the name of a helper. */
  isWord: boolean;
}

/** `@index`, `@first`, `@last` or `@key` of the innermost loop. */
export interface LoopVariable {
  kind: 'loop';
  at: number;
  name: string;
}

export interface Call {
  kind: 'call';
  at: number;
  name: string;
  args: Expression[];
}

export type Expression = Literal | Path | LoopVariable | Call;
