import { Transform, Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayUnique,
  IsArray,
  IsBoolean,
  IsIn,
  IsNotEmpty,
  IsObject,
  IsOptional,
  IsString,
} from 'class-validator';
import { MaxLength, Validate, ValidateNested, ValidatorConstraint } from 'class-validator';
import type { ValidatorConstraintInterface } from 'class-validator';
import { ROLES, type Role } from '#libs/access';
import { FIELD_TYPES, type FieldType } from '#libs/host';
import { MAX_FIELDS } from '../pipelines/field-rules.js';
import { isSlug } from '../pipelines/slugs.js';

const trimmed = Transform(({ value }: { value: unknown }) =>
  typeof value === 'string' ? value.trim() : value,
);

@ValidatorConstraint({ name: 'isSlug' })
class Slug implements ValidatorConstraintInterface {
  validate(value: unknown): boolean {
    return isSlug(value);
  }

  defaultMessage(): string {
    return 'must be a lower-case letter and then at most 62 letters, digits or underscores (not a reserved word)';
  }
}

@ValidatorConstraint({ name: 'isName' })
class Name implements ValidatorConstraintInterface {
  validate(value: unknown): boolean {
    return typeof value === 'string' && !/\p{C}/u.test(value);
  }

  defaultMessage(): string {
    return 'must be a text without control characters';
  }
}

/** `Field` of the API, as it is added. */
export class FieldDto {
  @trimmed
  @IsNotEmpty()
  @MaxLength(200)
  @Validate(Name)
  name!: string;

  /** Made of the name where it is left out. */
  @IsOptional()
  @Validate(Slug)
  slug?: string;

  @IsIn(FIELD_TYPES)
  field_type!: FieldType;

  @IsOptional()
  @IsBoolean()
  required?: boolean;

  @IsOptional()
  @IsObject()
  options?: Record<string, unknown>;

  @IsOptional()
  @IsBoolean()
  sensitive?: boolean;

  /** The roles that see its values, beside the owner; left out, all do. */
  @IsOptional()
  @IsArray()
  @ArrayUnique()
  @IsIn(ROLES, { each: true })
  visible_to?: Role[] | null;

  @IsOptional()
  @IsObject()
  ai_config?: Record<string, unknown>;
}

/** What of a `Field` is to be changed. */
export class FieldChangesDto {
  @IsOptional()
  @trimmed
  @IsNotEmpty()
  @MaxLength(200)
  @Validate(Name)
  name?: string;

  /** Accepted only as it is: a slug never changes. */
  @IsOptional()
  @IsString()
  slug?: string;

  @IsOptional()
  @IsIn(FIELD_TYPES)
  field_type?: FieldType;

  @IsOptional()
  @IsBoolean()
  required?: boolean;

  @IsOptional()
  @IsObject()
  options?: Record<string, unknown>;

  @IsOptional()
  @IsBoolean()
  sensitive?: boolean;

  /** `null` lets everybody see its values again. */
  @IsOptional()
  @IsArray()
  @ArrayUnique()
  @IsIn(ROLES, { each: true })
  visible_to?: Role[] | null;

  /** Replaces the whole configuration. */
  @IsOptional()
  @IsObject()
  ai_config?: Record<string, unknown>;
}

export class NewPipelineDto {
  @trimmed
  @IsNotEmpty()
  @MaxLength(200)
  @Validate(Name)
  name!: string;

  @IsOptional()
  @Validate(Slug)
  slug?: string;

  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MAX_FIELDS)
  @ValidateNested({ each: true })
  @Type(() => FieldDto)
  fields?: FieldDto[];
}

export class PipelineChangesDto {
  @IsOptional()
  @trimmed
  @IsNotEmpty()
  @MaxLength(200)
  @Validate(Name)
  name?: string;

  @IsOptional()
  @Validate(Slug)
  slug?: string;
}
