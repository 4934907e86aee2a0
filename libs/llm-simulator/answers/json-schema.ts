/** A JSON Schema, of which only the keywords that shape a value are read. */
export type JsonSchema = Record<string, unknown>;
