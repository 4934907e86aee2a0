import { Fault } from '../wires/wire.js';

const MESSAGES: Partial<Record<number, string>> = {
  400: 'The request is not valid.',
  401: 'The API key is not valid.',
  402: 'There is a problem with the billing of this account.',
  403: 'This key may not use the resource.',
  404: 'The model does not exist or you do not have access to it.',
  408: 'The request took too long.',
  409: 'The request conflicts with another one.',
  413: 'The request is too large.',
  429: 'Rate limit reached. Please try again later.',
  500: 'The server had an error while processing the request.',
  502: 'Bad gateway.',
  503: 'The engine is currently overloaded, please try again later.',
  504: 'The request timed out.',
  529: 'Overloaded',
};
const CODES: Partial<Record<number, string>> = {
  401: 'invalid_api_key',
  404: 'model_not_found',
  429: 'rate_limit_exceeded',
};

/** The fault a script asks for by its status. */
export function scriptedFault(status: number, message?: string, retryAfterSeconds?: number): Fault {
  return new Fault(status, message ?? MESSAGES[status] ?? `The simulator was told to answer ${status}.`, {
    code: CODES[status] ?? null,
    headers: retryAfter(retryAfterSeconds),
  });
}

function retryAfter(seconds: number | undefined): Record<string, string> {
  return seconds === undefined ? {} : { 'retry-after': String(seconds) };
}
