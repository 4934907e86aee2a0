import { Catch, HttpException, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { PrincipalRequest } from '#libs/access';
import { FieldsmithError, loggableError, type ErrorDetail } from '#libs/common';
import { isDatabaseAway } from '#libs/tenants';

/** A request that the host may have given an id and a principal. */
type IdentifiedRequest = Request & PrincipalRequest & { id?: string };

/** An error as a client sees it (RFC 9457). */
interface Problem {
  type: string;
  title: string;
  status: number;
  code: string;
  detail: string;
  errors: ErrorDetail[];
}

const TITLES: Record<number, string> = {
  400: 'Bad request',
  401: 'Not signed in',
  402: 'Budget exceeded',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Method not allowed',
  409: 'Conflict',
  413: 'Too large',
  415: 'Unsupported media type',
  422: 'Invalid input',
  429: 'Too many requests',
  500: 'Internal error',
  502: 'The provider failed',
  503: 'Not available now',
  504: 'The provider took too long',
};

/** An error of a body parser, made by `http-errors`: it says which status fits. What a decompressor throws has no type. */
interface ParserError {
  status: number;
  type?: string;
}

const DATABASE_AWAY = problem(
  503,
  'database_away',
  'The database cannot be reached now. Look whether your change was saved, and try again in a moment.',
);

/**
 * Answers every error as Problem Details. Errors of ours say what to tell; what is unknown is logged whole and told as
 * an internal error without its text.
 */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger(ProblemFilter.name);

  catch(error: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>();
    const problem = this.problemOf(error, host.switchToHttp().getRequest<IdentifiedRequest>());
    if (response.headersSent) {
      response.end();
      return;
    }
    const { retryAfterSeconds } = (error ?? {}) as { retryAfterSeconds?: unknown };
    if (typeof retryAfterSeconds === 'number')
      response.setHeader('retry-after', String(Math.ceil(retryAfterSeconds)));
    response.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
  }

  private problemOf(error: unknown, request: IdentifiedRequest): Problem {
    if (error instanceof FieldsmithError) {
      if (error.code === 'isolation_not_enforced') this.logger.error(lineOf(error, request));
      return problem(error.status, error.code, error.message, error.errors);
    }
    // The adapter of the framework wraps what a body parser throws.
    if (error instanceof HttpException && isParserError(error.cause)) return fromParserError(error.cause);
    if (error instanceof HttpException) return fromHttpException(error);
    if (isParserError(error)) return fromParserError(error);
    if (isDatabaseAway(error)) {
      this.logger.warn({ ...lineOf(error, request), message: 'the database is away' });
      return DATABASE_AWAY;
    }
    this.logger.error(lineOf(error, request));
    return problem(
      500,
      'internal_error',
      'Something went wrong here. It has been logged; try again, and report it if it stays.',
    );
  }
}

function lineOf(error: unknown, { id, method, principal }: IdentifiedRequest): object {
  const who = { tenant_id: principal?.tenantId, user_id: principal?.id };
  return { message: 'request failed', request_id: id, method, ...who, err: loggableError(error) };
}

function fromHttpException(error: HttpException): Problem {
  const status = error.getStatus();
  const code = status === 404 ? 'not_found' : status === 429 ? 'too_many_requests' : `http_${status}`;
  return problem(status, code, error.message);
}

function isParserError(error: unknown): error is ParserError {
  return (
    typeof error === 'object' &&
    error !== null &&
    'expose' in error &&
    'status' in error &&
    typeof error.status === 'number'
  );
}

function fromParserError({ status, type }: ParserError): Problem {
  if (type === 'entity.too.large')
    return problem(
      413,
      'body_too_large',
      'The body is too large: send at most 2 MB of JSON, and import more as CSV.',
    );
  if (type === 'entity.parse.failed')
    return problem(400, 'malformed_json', 'The body is not valid JSON: correct it and send it again.');
  if (type === 'encoding.unsupported')
    return problem(
      status,
      'unsupported_media_type',
      'The Content-Encoding is not known: send the body without one, or as gzip, deflate or br.',
    );
  if (type === 'charset.unsupported')
    return problem(status, 'unsupported_media_type', 'The charset is not known: send the body as UTF-8.');
  return problem(
    status,
    'malformed_request',
    'The body could not be read: send it whole, and packed as its Content-Encoding says or without one.',
  );
}

function problem(status: number, code: string, detail: string, errors: ErrorDetail[] = []): Problem {
  return { type: 'about:blank', title: TITLES[status] ?? 'Error', status, code, detail, errors };
}
