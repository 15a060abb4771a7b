/**
 * The one error class of the gateway and the catalogue of its codes.
 *
 * Programs compare `code`; people read `message`, which goes to the caller as `faultstring` for every status below
 * 500 and for those 5xx codes that name a condition (never a stack, SQL or a token).
 */
const catalogue = {
  INVALID_INPUT: { httpStatus: 400, isRetryable: false },
  UNAUTHENTICATED: { httpStatus: 401, isRetryable: false },
  NOT_ALLOWED: { httpStatus: 403, isRetryable: false },
  IN_USE: { httpStatus: 403, isRetryable: false },
  NOT_FOUND: { httpStatus: 404, isRetryable: false },
  METHOD_NOT_ALLOWED: { httpStatus: 405, isRetryable: false },
  NOT_ACCEPTABLE: { httpStatus: 406, isRetryable: false },
  CONFLICT: { httpStatus: 409, isRetryable: true },
  TOO_LARGE: { httpStatus: 413, isRetryable: false },
  UNSUPPORTED_MEDIA_TYPE: { httpStatus: 415, isRetryable: false },
  KEY_REUSED: { httpStatus: 422, isRetryable: false },
  TOO_MANY_REQUESTS: { httpStatus: 429, isRetryable: true },
  INTERNAL: { httpStatus: 500, isRetryable: false },
  NO_FREE_WORKER: { httpStatus: 503, isRetryable: true },
  TOO_BUSY: { httpStatus: 503, isRetryable: true },
  TOO_MANY_WAITERS: { httpStatus: 503, isRetryable: true },
  SHUTTING_DOWN: { httpStatus: 503, isRetryable: true },
  UNAVAILABLE: { httpStatus: 503, isRetryable: true },
} as const;

export type ErrorCode = keyof typeof catalogue;

/** A fault with a code of the catalogue; `message` is written for the caller. */
export class QinlingError extends Error {
  readonly code: ErrorCode;
  /** Seconds after which a retry makes sense; becomes `Retry-After`. */
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; retryAfterSeconds?: number } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'QinlingError';
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  get httpStatus(): number {
    return catalogue[this.code].httpStatus;
  }

  get isRetryable(): boolean {
    return catalogue[this.code].isRetryable;
  }
}

export function invalidInput(message: string): QinlingError {
  return new QinlingError('INVALID_INPUT', message);
}

export function notFound(message: string): QinlingError {
  return new QinlingError('NOT_FOUND', message);
}

export function shuttingDown(): QinlingError {
  return new QinlingError('SHUTTING_DOWN', 'The service is shutting down.', { retryAfterSeconds: 5 });
}
