import 'reflect-metadata';
import { Type } from 'class-transformer';
import { IsArray, IsObject, IsOptional, IsString, ValidateNested } from 'class-validator';
import { InvalidInputError } from '#libs/common';
import { validationPipe } from './validation-pipe.js';

class Part {
  @IsString() slug!: string;
  @IsOptional() @IsObject() options?: object;
}
class Whole {
  @IsString() name!: string;
  @IsOptional() @IsObject() data?: object;
  @IsOptional() @IsArray() @ValidateNested({ each: true }) @Type(() => Part) fields?: Part[];
}

const check = (body: unknown) =>
  validationPipe().transform(body, { type: 'body', metatype: Whole }) as Promise<Whole>;
const errorsOf = (body: unknown) =>
  check(body).then(
    () => [],
    (error: unknown) => (error as InvalidInputError).errors,
  );

describe('validationPipe', () => {
  it('makes a DTO and leaves free JSON as it came', async () => {
    const data = { toString: 'x', nested: [{ valueOf: 1 }] };
    const options = { hasOwnProperty: true };
    const body = await check({ name: 'n', data, fields: [{ slug: 'a', options }] });
    expect(body).toBeInstanceOf(Whole);
    expect(body.fields?.[0]).toBeInstanceOf(Part);
    expect(body.data).toEqual(data);
    expect(body.fields?.[0]?.options).toEqual(options);
  });

  it('names every fault with its path', async () => {
    const errors = await errorsOf({ fields: [{ slug: 1 }, { slug: 'a', more: 1 }], other: 1 });
    expect(errors.map(({ path }) => path).sort()).toEqual([
      'fields.0.slug',
      'fields.1.more',
      'name',
      'other',
    ]);
  });

  it('refuses keys that reach for a prototype', async () => {
    const body: unknown = JSON.parse('{"name":"n","data":{"a":[{"__proto__":{"x":1}}],"constructor":1}}');
    const errors = await errorsOf(body);
    expect(errors.map(({ path }) => path).sort()).toEqual(['data.a.0.__proto__', 'data.constructor']);
  });

  it('refuses what is nested too deeply without walking into it', async () => {
    const body: unknown = JSON.parse(
      `{"name":"n","data":{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}}`,
    );
    const [error] = await errorsOf(body);
    expect(error?.message).toMatch(/at most 100 levels/);
  });

  it.each([[undefined], [null], ['text'], [[]], [7]])('refuses %p for a body', async (body) => {
    expect(await errorsOf(body)).not.toEqual([]);
  });
});
