/**
 * One table of errors: code → HTTP status, JSON-RPC code and name, and what it means. `docs/errors.md` is checked
 * against it. The sentence of one error names the thing and the way out; it is written where the error is thrown.
 */

interface ErrorKind {
  /** HTTP status in REST. JSON-RPC always answers 500 with `rpcCode`. */
  readonly http: number;
  readonly rpcCode: number;
  readonly rpcName: string;
  readonly meaning: string;
}

const server = (http: number, meaning: string): ErrorKind => ({
  http,
  rpcCode: -32000,
  rpcName: 'Server error',
  meaning,
});

export const ERRORS = {
  // transport
  PARSE_ERROR: { http: 400, rpcCode: -32700, rpcName: 'Parse error', meaning: 'The body is not JSON.' },
  INVALID_REQUEST: {
    http: 400,
    rpcCode: -32600,
    rpcName: 'Invalid request',
    meaning: 'The body is JSON, but not a request.',
  },
  METHOD_NOT_FOUND: { http: 404, rpcCode: -32601, rpcName: 'Method not found', meaning: 'No operation of that name.' },
  INVALID_PARAMS: {
    http: 400,
    rpcCode: -32602,
    rpcName: 'Invalid params',
    meaning: 'A parameter has the wrong type or form, or their number is wrong.',
  },
  ROUTE_NOT_FOUND: server(404, 'No such route. The routes are listed at /api/v1/openapi.json.'),
  METHOD_NOT_ALLOWED: server(405, 'The route exists, but not for this HTTP method.'),
  BODY_TOO_LARGE: server(413, 'The body is larger than the configured limit.'),
  INTERNAL: {
    http: 500,
    rpcCode: 0,
    rpcName: 'Unexpected Server Error',
    meaning: 'A defect. The log has the details.',
  },
  UNAVAILABLE: server(503, 'A part the server needs does not answer now. Try again.'),
  // identity
  UNAUTHENTICATED: server(401, 'No token, or one that is unknown, expired or revoked.'),
  FORBIDDEN: server(403, 'The caller lacks the right this call needs.'),
  // things
  INVALID_INPUT: server(400, 'A value is not acceptable; the sentence says which and what would be.'),
  NOT_FOUND: server(404, 'No such job, batch, app, request or workspace.'),
  CONFLICT: server(409, 'The thing is not in a state that allows this.'),
  REQUEST_ID_REUSED: server(409, 'This request id was used before with another body.'),
  REPOSITORY_REFUSED: server(400, 'The repository address is not one we fetch from.'),
  REPOSITORY_UNREADABLE: server(400, 'The repository, its commit or its reprise.json cannot be read.'),
  UNKNOWN_METHOD: server(400, 'No app has this method at this version.'),
  VERSION_NOT_FOUND: server(400, 'The app has no such tag or commit.'),
  PARAMS_REJECTED: server(400, "The parameters do not fit the method's schema."),
  REQUIREMENTS_UNSATISFIABLE: server(400, 'No scheduler here could ever run this.'),
  DATA_DIR_IN_USE: server(409, 'Another process uses this data directory.'),
  // verdicts of retry (architecture: refusal codes); as whole-call errors of a single retry they are 409
  NOT_TERMINAL: server(409, 'The job has not ended; wait for it or cancel it.'),
  ALREADY_SUCCEEDED: server(409, 'The job, or its newest retry, has completed: there is nothing to retry.'),
  IN_FLIGHT: server(409, 'A retry of this job is under way; the receipt names it.'),
  SUPERSEDED: server(409, 'A newer retry took the place of this job.'),
  IS_BATCH: server(409, 'The id is a batch; retry its jobs, or the batch through its own call.'),
  BATCH_CANCELLED: server(409, 'The batch was cancelled and takes no new items.'),
  CAP_REACHED: server(409, 'Reserved: these inputs have been retried as often as allowed.'),
  DUPLICATE_IN_REQUEST: server(409, 'The same id stands earlier in this request.'),
  VERSION_WITHDRAWN: server(409, 'The recorded app version is gone or was withdrawn.'),
  POLICY_FORBIDS: server(409, 'Reserved: a policy of the app forbids retrying.'),
  FUTILE: server(409, 'Reserved: the same failure would follow.'),
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

export const REFUSAL_CODES = [
  'NOT_FOUND',
  'FORBIDDEN',
  'NOT_TERMINAL',
  'ALREADY_SUCCEEDED',
  'IN_FLIGHT',
  'SUPERSEDED',
  'IS_BATCH',
  'BATCH_CANCELLED',
  'CAP_REACHED',
  'DUPLICATE_IN_REQUEST',
  'VERSION_WITHDRAWN',
  'POLICY_FORBIDS',
  'FUTILE',
  'INVALID_INPUT',
  'REQUIREMENTS_UNSATISFIABLE',
] as const satisfies readonly ErrorCode[];
export type RefusalCode = (typeof REFUSAL_CODES)[number];

/** An error that a caller is told: a stable code, and a sentence that names the thing and the way out. */
export class RepriseError extends Error {
  override readonly name = 'RepriseError';
  constructor(
    readonly code: ErrorCode,
    sentence: string,
    /** Machine-readable particulars for REST, e.g. `{receipt}` or `{items: [{index, code, message}]}`. */
    readonly details?: Readonly<Record<string, unknown>>,
    options?: ErrorOptions,
  ) {
    super(sentence, options);
  }

  get http(): number {
    return ERRORS[this.code].http;
  }
}
