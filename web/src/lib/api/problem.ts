import type { ErrorBody } from './types';

/** Whatever kept a request from its answer, from the service or from the way there. */
export class Problem extends Error {
  override name = 'Problem';

  constructor(
    /** The service's own code, or one of ours: `offline`, `timeout`, `client_file_*`. */
    readonly code: string,
    message: string,
    readonly status = 0,
    readonly details: Partial<ErrorBody> = {},
  ) {
    super(message);
  }

  get retryAfterS(): number | null {
    return this.details.retry_after_s ?? null;
  }

  static from(error: ErrorBody, status = 0): Problem {
    return new Problem(error.code, error.message, status, error);
  }
}

/** A plain form of a problem, which survives being stored. */
export interface StoredProblem {
  code: string;
  message: string;
  status: number;
  retryAfterS: number | null;
  requestId: string | null;
}

export function storable(error: unknown): StoredProblem {
  if (!(error instanceof Problem)) {
    const message = error instanceof Error ? error.message : String(error);
    return { code: 'client_error', message, status: 0, retryAfterS: null, requestId: null };
  }
  return {
    code: error.code,
    message: error.message,
    status: error.status,
    retryAfterS: error.retryAfterS,
    requestId: error.details.request_id ?? null,
  };
}

/** The problem in a response that is not 2xx; a proxy's or a foreign server's body is not shown. */
export async function problemOf(response: Response): Promise<Problem> {
  return problemIn(
    await response.text().catch(() => ''),
    response.status,
    response.headers.get('Retry-After'),
  );
}

export function problemIn(text: string, status: number, retryAfter: string | null): Problem {
  try {
    const body = JSON.parse(text) as { detail?: unknown; error?: ErrorBody };
    if (body.error && typeof body.error.code === 'string') return Problem.from(body.error, status);
  } catch {
    // Not the service's own words: the status says all there is to say.
  }
  const wait = Number(retryAfter);
  return new Problem(`http_${status}`, '', status, {
    retry_after_s: retryAfter && Number.isFinite(wait) ? wait : null,
  });
}
