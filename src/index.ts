/** What programs import: the client, the words of the contract, and a server to embed. */
export { type Client, createClient } from './client/client.js';
export { ERRORS, type ErrorCode, REFUSAL_CODES, type RefusalCode, RepriseError } from './contract/errors.js';
export {
  type OperationName,
  operations,
  type RestName,
  type RestParams,
  type RestResult,
} from './contract/operations.js';
export { RawJson } from './contract/raw-json.js';
export * from './contract/schemas.js';
export { isRetryable, isTerminal, STATUSES, type Status } from './contract/status.js';
export { type RunningServer, type ServerOptions, startServer } from './server.js';
