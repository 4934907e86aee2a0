export {
  compileCondition,
  compilePrompt,
  type CompiledCondition,
  type CompiledPrompt,
  type PromptInput,
  type PromptReads,
} from './compile-prompt.js';
export { becomesDenied, DEFAULT_DENIED_FIELDS, isDenied } from './deny-list.js';
export { formatValue } from './format/format-value.js';
export { PROMPT_LIMITS } from './limits.js';
export type { Marks } from './program/blocks.js';
export { didYouMean, type PromptScope } from './prompt-scope.js';
