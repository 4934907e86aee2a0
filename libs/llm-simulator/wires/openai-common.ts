import type { IncomingHttpHeaders } from 'node:http';
import { invalid, isObject, listAt, strictnessFault } from './checks.js';
import { Fault, type Ask, type JsonObject, type Wire } from './wire.js';

const TYPES: Partial<Record<number, string>> = { 401: 'invalid_request_error', 429: 'rate_limit_error' };

/** What both of OpenAI's wires do alike. */
export const openaiCommon = {
  keyOf(headers: IncomingHttpHeaders): string {
    const key = /^Bearer\s+(\S+)$/i.exec(headers.authorization ?? '')?.[1];
    if (key !== undefined) return key;
    throw new Fault(
      401,
      "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
    );
  },

  badKey(key: string): Fault {
    const hidden = key.length > 8 ? `${key.slice(0, 4)}****${key.slice(-4)}` : '****';
    return new Fault(
      401,
      `Incorrect API key provided: ${hidden}. You can find your API key at https://platform.openai.com/account/api-keys.`,
      {
        code: 'invalid_api_key',
      },
    );
  },

  fault({ status, message, details }: Fault): JsonObject {
    const type = TYPES[status] ?? (status >= 500 ? 'server_error' : 'invalid_request_error');
    return { error: { message, type, param: details.param ?? null, code: details.code ?? null } };
  },

  headers(requestId: string): Record<string, string> {
    return {
      'x-request-id': requestId,
      'openai-version': '2020-10-01',
      'openai-organization': 'simulator',
      'openai-processing-ms': '1',
    };
  },
} satisfies Partial<Wire>;

/** Models that reason refuse sampling parameters. */
export function refuseSampling(body: JsonObject, model: string, effort: unknown): void {
  const always = /^(o\d|gpt-5(-mini|-nano)?(-\d{4}-\d{2}-\d{2})?$)/.test(model);
  const whenReasoning =
    /^gpt-5\.\d/.test(model) && effort !== undefined && effort !== null && effort !== 'none';
  if (!always && !whenReasoning) return;
  for (const name of ['temperature', 'top_p']) {
    const value = body[name] ?? 1;
    if (value !== 1)
      throw invalid(
        name,
        `Unsupported parameter: '${name}' is not supported with this model.`,
        'unsupported_parameter',
      );
  }
}

/** The schema and JSON mode that a `response_format` or `text.format` asks for; `path` names it in faults. */
export function readFormat(
  format: unknown,
  nested: unknown,
  path: string,
): Pick<Ask, 'schema' | 'wantsJson'> {
  if (format === undefined || format === null) return { wantsJson: false };
  if (!isObject(format))
    throw invalid(path, `Invalid type for '${path}': expected an object.`, 'invalid_type');
  if (format.type === 'text') return { wantsJson: false };
  if (format.type === 'json_object') return { wantsJson: true };
  if (format.type !== 'json_schema') {
    throw invalid(
      `${path}.type`,
      `Invalid value: '${String(format.type)}'. Supported values are: 'json_object', 'json_schema', and 'text'.`,
      'invalid_value',
    );
  }
  const { name, schema, strict } = isObject(nested) ? nested : ({} as JsonObject);
  if (typeof name !== 'string' || !/^[a-zA-Z0-9_-]{1,64}$/.test(name)) {
    throw invalid(
      `${path}.name`,
      `Invalid '${path}.name': expected 1 to 64 letters, digits, underscores or dashes.`,
      'invalid_value',
    );
  }
  if (!isObject(schema))
    throw invalid(
      `${path}.schema`,
      `Missing required parameter: '${path}.schema'.`,
      'missing_required_parameter',
    );
  if (strict === true) refuseLooseSchema(schema, `response_format '${name}'`, path);
  return { wantsJson: true, schema };
}

function refuseLooseSchema(schema: JsonObject, what: string, path: string): void {
  const fault =
    schema.type === 'object'
      ? strictnessFault(schema, true)
      : `schema must be a JSON Schema of 'type: "object"', got 'type: "${String(schema.type ?? 'None')}"'.`;
  if (fault) throw invalid(path, `Invalid schema for ${what}: ${fault}`, 'invalid_json_schema');
}

/** JSON mode without the word in the conversation is refused: a model would write spaces for ever. */
export function refuseSilentJson(
  ask: Pick<Ask, 'schema' | 'wantsJson' | 'system' | 'prompt'>,
  path: string,
  where: string,
): void {
  if (!ask.wantsJson || ask.schema || /json/i.test(ask.system) || /json/i.test(ask.prompt)) return;
  throw invalid(
    where,
    `'${where}' must contain the word 'json' in some form, to use '${path}' of type 'json_object'.`,
  );
}

/** The function that must be called, with the schema of its arguments. `functionOf` finds it in a tool. */
export function forcedTool(
  body: JsonObject,
  functionOf: (tool: JsonObject) => unknown,
): { tool: NonNullable<Ask['tool']>; schema: JsonObject } | undefined {
  const functions = listAt(body, 'tools').map((tool, index) => {
    if (!isObject(tool))
      throw invalid(
        `tools[${index}]`,
        `Invalid type for 'tools[${index}]': expected an object.`,
        'invalid_type',
      );
    return tool.type === 'function' ? functionOf(tool) : undefined;
  });
  const choice = body.tool_choice;
  if (choice === undefined || choice === null || choice === 'auto' || choice === 'none') return undefined;
  const wanted = isObject(choice) ? functionOf(choice) : undefined;
  const name = isObject(wanted) ? wanted.name : undefined;
  const chosen = functions.find(
    (candidate) => isObject(candidate) && (name === undefined || candidate.name === name),
  );
  if (!isObject(chosen) || typeof chosen.name !== 'string' || (choice !== 'required' && name === undefined)) {
    throw invalid(
      'tool_choice',
      "Invalid value for 'tool_choice': it names no function of 'tools'.",
      'invalid_value',
    );
  }
  return {
    tool: { name: chosen.name, named: name !== undefined },
    schema: isObject(chosen.parameters) ? chosen.parameters : { type: 'object' },
  };
}
