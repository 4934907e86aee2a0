/**
 * Puts free JSON inside a DTO back as it came. class-transformer copies it and silently leaves out keys that are also
 * methods of every object, such as `toString`; a value of a record or a schema may well have one.
 *
 * @param dto what class-transformer made of `source`; changed in place and returned.
 */
export function restoreFreeJson(dto: unknown, source: unknown): unknown {
  if (Array.isArray(dto) && Array.isArray(source))
    return dto.map((item, index) => restored(item, source[index]));
  if (isObject(dto) && isObject(source)) {
    for (const key of Object.keys(dto)) dto[key] = restored(dto[key], source[key]);
  }
  return dto;
}

function restored(value: unknown, source: unknown): unknown {
  const isFree = isObject(value) && Object.getPrototypeOf(value) === Object.prototype;
  return isFree && isObject(source) ? source : restoreFreeJson(value, source);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
