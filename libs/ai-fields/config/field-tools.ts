import { TOOL_NAMES, type ToolName, type ToolUse } from '#libs/llm';
import type { TenantSettings } from '#libs/tenants';
import type { AiConfig } from './ai-config.js';

/** Most uses of tools in one call, unless configured otherwise. Each widens the hold by the model's whole context window. */
export const DEFAULT_TOOL_CALLS = 3;

/**
 * The tools that a field's calls may use; undefined where there are none. They are on where the field, or else the
 * tenant, says so, and are those that the field names, in one order so that equal sets make equal fingerprints.
 */
export function toolsOf(
  config: AiConfig,
  settings: Pick<TenantSettings, 'enableTools'>,
): ToolUse | undefined {
  if (!(config.enable_tools ?? settings.enableTools)) return undefined;
  const names = namedTools(config);
  if (names.length === 0) return undefined;
  const use = { names, maxUses: config.max_tool_calls ?? DEFAULT_TOOL_CALLS };
  return names.includes('file_search') ? { ...use, vectorStoreIds: config.vector_store_ids } : use;
}

/** The known ones among the tools that a configuration names. */
export function namedTools({ allowed_tools: named = [] }: AiConfig): ToolName[] {
  return TOOL_NAMES.filter((name) => named.includes(name));
}
