/** Where runners call. Apart from the schemas, so that a runner, which is started for each job, does not build those. */

/** `POST` here, no Authorization header: each report carries its token. */
export const WORKER_REPORTS_PATH = '/api/v1/worker/reports';

/** `GET` here with `/<commit>`, and the token of an open dispatch as the bearer: the files of its app, as tar. */
export const WORKER_CHECKOUTS_PATH = '/api/v1/worker/checkouts';
