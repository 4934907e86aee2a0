import { Transform } from 'class-transformer';
import { IsIn, IsNotEmpty, IsOptional, IsString, MaxLength, MinLength } from 'class-validator';
import { Validate, ValidatorConstraint, type ValidatorConstraintInterface } from 'class-validator';
import { ROLES, type Role } from '#libs/access';
import { isEmail } from '../email.js';

const trimmed = Transform(({ value }: { value: unknown }) =>
  typeof value === 'string' ? value.trim() : value,
);

@ValidatorConstraint({ name: 'isEmailAddress' })
class EmailAddress implements ValidatorConstraintInterface {
  validate(value: unknown): boolean {
    return typeof value === 'string' && isEmail(value);
  }

  defaultMessage(): string {
    return 'must be an e-mail address such as name@example.com';
  }
}

@ValidatorConstraint({ name: 'isPlainText' })
class PlainText implements ValidatorConstraintInterface {
  validate(value: unknown): boolean {
    return typeof value === 'string' && !/\p{C}/u.test(value);
  }

  defaultMessage(): string {
    return 'may not hold control characters';
  }
}

export class LoginDto {
  @trimmed
  @Validate(EmailAddress)
  email!: string;

  @IsString()
  @MaxLength(200)
  password!: string;
}

export class OwnPasswordDto {
  @IsString()
  @MaxLength(200)
  current_password!: string;

  @IsString()
  @MinLength(8)
  @MaxLength(200)
  new_password!: string;
}

export class RegisterDto {
  @trimmed
  @IsNotEmpty()
  @MaxLength(200)
  @Validate(PlainText)
  tenant_name!: string;

  @trimmed
  @Validate(EmailAddress)
  email!: string;

  @IsString()
  @MinLength(8)
  @MaxLength(200)
  password!: string;
}

export class NewUserDto {
  @trimmed
  @Validate(EmailAddress)
  email!: string;

  @IsString()
  @MinLength(8)
  @MaxLength(200)
  password!: string;

  @IsIn(ROLES)
  role!: Role;
}

export class UserChangesDto {
  @IsOptional()
  @trimmed
  @Validate(EmailAddress)
  email?: string;

  @IsOptional()
  @IsString()
  @MinLength(8)
  @MaxLength(200)
  password?: string;

  @IsOptional()
  @IsIn(ROLES)
  role?: Role;
}
