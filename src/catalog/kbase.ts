/**
 * Apps by KBase's Catalog: which commit a version is, and which client group and resources a method has. What runs them is
 * KBase's own job runner, which asks the Catalog for the rest itself.
 *
 * | question                 | kept                                       | while the Catalog can not be asked        |
 * | ------------------------ | ------------------------------------------ | ----------------------------------------- |
 * | a tag's commit           | never; who asks at the same time shares    | UNAVAILABLE: the tag may have moved       |
 * | a commit, seen before    | a day                                      | known: a retry does not need the Catalog  |
 * | a method's client group  | a minute                                   | what was known an hour ago                |
 */
import { RepriseError } from '../contract/errors.js';
import type { Http } from '../kbase/http.js';
import { callService } from '../kbase/json-rpc.js';
import { createMemory, type Memory } from '../kbase/memory.js';
import { ServiceOutage, ServiceRefusal } from '../kbase/outage.js';
import type { Catalog, MethodRequest, Resolution } from './catalog.js';
import { type Declared, readClientGroups } from './kbase-client-groups.js';
import { parseMethodName, unrecognized } from './method-name.js';

export interface KbaseCatalogOptions {
  readonly http: Http;
  readonly url: string;
  readonly now: () => number;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** EE2 lets a job run for a week. */
const TIMEOUT_MS = 7 * 24 * HOUR;
const DEFAULT_VERSION = 'release';
const COMMIT = /^[0-9a-f]{40}$/;
/** Questions that are under way together. */
const AT_ONCE = 8;

export function createKbaseCatalog({ http, url, now }: KbaseCatalogOptions): Catalog {
  const asked: Asked = {
    http,
    url,
    tags: createMemory({ now, freshMs: 0, graceMs: 0, size: 0 }),
    commits: createMemory({ now, freshMs: 24 * HOUR, graceMs: 7 * 24 * HOUR, size: 5000 }),
    groups: createMemory({ now, freshMs: MINUTE, graceMs: HOUR, size: 5000 }),
  };
  return {
    resolve: (requests) => resolve(asked, requests),
    async executions(jobs) {
      if (jobs.length === 0) return [];
      throw notOurs();
    },
    async archive() {
      throw notOurs();
    },
  };
}

const notOurs = () =>
  new RepriseError('INTERNAL', "jobs of KBase's Catalog are run by its own job runner, not by ours");

interface Asked {
  readonly http: Http;
  readonly url: string;
  readonly tags: Memory<string>;
  readonly commits: Memory<string>;
  readonly groups: Memory<Declared>;
}

interface Question {
  readonly module: string;
  readonly name: string;
  readonly version: string;
}

/** One version call for equal versions of a module, one requirements call for equal methods. */
async function resolve(asked: Asked, requests: readonly MethodRequest[]): Promise<Resolution[]> {
  const questions = requests.map(({ method, version }) => {
    const named = parseMethodName(method);
    return named === null ? null : { ...named, version: version?.trim() || DEFAULT_VERSION };
  });
  const real = questions.filter((question) => question !== null);
  const groups = await answerAll(real, methodOf, (question) => groupsOf(asked, question));
  const commits = await answerAll(real, versionOf, (question) => commitOf(asked, question));
  return questions.map((question, index) => {
    if (question === null) return refused('INVALID_INPUT', unrecognized(requests[index]?.method ?? ''));
    return resolution(question, groups.get(methodOf(question)), commits.get(versionOf(question)));
  });
}

const methodOf = ({ module, name }: Question) => `${module}.${name}`;
const versionOf = ({ module, version }: Question) => `${module}@${version}`;

async function answerAll<V>(
  questions: readonly Question[],
  keyOf: (question: Question) => string,
  ask: (question: Question) => Promise<V>,
): Promise<Map<string, V>> {
  const distinct = [...new Map(questions.map((question) => [keyOf(question), question]))];
  const answers = new Map<string, V>();
  const takeTurns = async () => {
    for (let next = distinct.shift(); next !== undefined; next = distinct.shift())
      answers.set(next[0], await ask(next[1]));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, takeTurns));
  return answers;
}

/** A refusal that the caller is told, beside what was asked for. */
type OrRefusal<V> = V | { readonly refusal: Resolution & { ok: false } };

function resolution(
  { module, name, version }: Question,
  groups: OrRefusal<Declared> | undefined,
  commit: OrRefusal<{ hash: string }> | undefined,
): Resolution {
  if (groups === undefined || commit === undefined) throw new Error(`${module}.${name} was not asked for`);
  if ('refusal' in groups) return groups.refusal;
  if ('refusal' in commit) return commit.refusal;
  return {
    ok: true,
    spec: {
      module,
      method: `${module}.${name}`,
      commit: commit.hash,
      tag: COMMIT.test(version) ? null : version,
      timeoutMs: TIMEOUT_MS,
      ...groups,
      // KBase's catalog knows no schema of parameters
      checkParams: () => null,
    },
  };
}

function refused(code: (Resolution & { ok: false })['code'], sentence: string): Resolution & { ok: false } {
  return { ok: false, code, sentence };
}

async function groupsOf({ http, url, groups }: Asked, question: Question): Promise<OrRefusal<Declared>> {
  const method = methodOf(question);
  const params = [{ module_name: question.module, function_name: question.name }];
  const call = { url, method: 'Catalog.list_client_group_configs', params, repeatable: true };
  try {
    return await groups.get(method, async () => readClientGroups(method, await callService(http, call)));
  } catch (error) {
    if (error instanceof RepriseError && error.code === 'INVALID_INPUT')
      return { refusal: refused(error.code, error.message) };
    if (error instanceof ServiceRefusal) return { refusal: refused('UNKNOWN_METHOD', error.message) };
    throw told(error);
  }
}

async function commitOf(asked: Asked, question: Question): Promise<OrRefusal<{ hash: string }>> {
  const { module, version } = question;
  const { tags, commits } = asked;
  try {
    const ask = () => askCommit(asked, module, version);
    const hash = await (COMMIT.test(version) ? commits : tags).get(versionOf(question), ask);
    commits.keep(versionOf({ ...question, version: hash }), hash);
    return { hash };
  } catch (error) {
    if (error instanceof NoSuchVersion) return { refusal: refused('VERSION_NOT_FOUND', error.message) };
    if (error instanceof ServiceRefusal) return { refusal: refused('UNKNOWN_METHOD', error.message) };
    throw told(error);
  }
}

/** Thrown, because failures are not kept: the version may be registered a moment later. */
class NoSuchVersion extends Error {}

async function askCommit({ http, url }: Asked, module: string, version: string): Promise<string> {
  const params = [{ module_name: module, version }];
  const answer = await callService(http, { url, method: 'Catalog.get_module_version', params, repeatable: true });
  if (answer === null) {
    const ways = 'give release, beta, dev, a released version or a commit';
    throw new NoSuchVersion(`module ${module} has no version '${version}'; ${ways}`);
  }
  const hash = (answer as { git_commit_hash?: unknown }).git_commit_hash;
  if (typeof hash === 'string' && COMMIT.test(hash)) return hash;
  throw new ServiceOutage(`the Catalog answered without the commit of ${module} ${version}`);
}

function told(error: unknown): unknown {
  if (!(error instanceof ServiceOutage)) return error;
  const sentence = `the Catalog can not be asked which version to run: ${error.message}; try again later`;
  return new RepriseError('UNAVAILABLE', sentence, undefined, { cause: error });
}
