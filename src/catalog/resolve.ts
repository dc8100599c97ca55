/** From `module.method` at a tag or commit to the exact version, or the sentence that says why there is none. */

import { type AnsweredVersion, findAskedVersions, findTags } from '../store/apps.js';
import type { Db } from '../store/db.js';
import { chunksOf } from '../store/inputs.js';
import type { Bundles } from './bundles.js';
import type { MethodRequest, ResolveCode } from './catalog.js';
import { type KnownManifest, type KnownMethod, type Manifests, versionKey } from './manifests.js';
import { parseMethodName, unrecognized } from './method-name.js';
import type { Mirrors } from './mirrors.js';

export interface ResolveParts {
  readonly db: Db;
  readonly mirrors: Mirrors;
  readonly manifests: Manifests;
  readonly bundles: Bundles;
}

export interface FoundMethod {
  readonly ok: true;
  readonly module: string;
  /** With the module. */
  readonly method: string;
  readonly commit: string;
  readonly tag: string | null;
  readonly declared: KnownMethod;
}

export interface NotFound {
  readonly ok: false;
  readonly code: ResolveCode;
  readonly sentence: string;
}

/** What jobs run that name no version. */
const DEFAULT_VERSION = 'release';
/** What a module, a tag or a commit can be at all; the store is not asked for anything else. */
const ASKABLE = /^[A-Za-z0-9][A-Za-z0-9._/+-]*$/;

interface Question {
  readonly module: string;
  /** Without the module. */
  readonly method: string;
  readonly version: string;
}

/** Answers in the order asked; equal requests are one question, and all questions are one look-up. */
export async function findMethods(
  parts: ResolveParts,
  requests: readonly MethodRequest[],
): Promise<(FoundMethod | NotFound)[]> {
  const asked = requests.map(parse);
  const questions = new Map(asked.flatMap((one) => ('ok' in one ? [] : [[keyOf(one), one] as const])));
  const answers = await answerAll(parts, [...questions.values()]);
  return asked.map((one) => ('ok' in one ? one : (answers.get(keyOf(one)) as FoundMethod | NotFound)));
}

const keyOf = ({ module, method, version }: Question) => `${module}.${method}@${version}`;

const notFound = (code: ResolveCode, sentence: string): NotFound => ({ ok: false, code, sentence });

function parse({ method: asked, version }: MethodRequest): Question | NotFound {
  const named = parseMethodName(asked);
  if (named === null) return notFound('INVALID_INPUT', unrecognized(asked));
  return { module: named.module, method: named.name, version: version?.trim() || DEFAULT_VERSION };
}

async function answerAll(parts: ResolveParts, questions: readonly Question[]) {
  const rows = await lookUp(parts.db, questions);
  const versions = [...rows.values()].flat().flatMap(versionOf);
  const manifests = await parts.manifests.load(versions);
  const held = await holdAll(parts, versions);
  const tagsOf = tagNames(parts.db);
  const answers = new Map<string, FoundMethod | NotFound>();
  for (const question of questions) {
    const found = rows.get(versionAsked(question)) ?? [];
    const refused = (await judgeVersion(question, found, tagsOf)) ?? judgeMirror(question, found[0]!, held);
    answers.set(keyOf(question), refused ?? judgeMethod(question, found[0]!, manifests));
  }
  return answers;
}

const versionAsked = ({ module, version }: Question) => `${module}@${version}`;

function versionOf(row: AnsweredVersion) {
  return row.app_commit === null ? [] : [{ module: row.asked_module, commit: row.app_commit }];
}

/** What the store knows of each version that is asked for, in one look-up. */
async function lookUp(db: Db, questions: readonly Question[]): Promise<Map<string, AnsweredVersion[]>> {
  const askable = questions.filter(({ module, version }) => ASKABLE.test(module) && ASKABLE.test(version));
  const distinct = new Map(askable.map((one) => [versionAsked(one), { module: one.module, version: one.version }]));
  const rows = await findAskedVersions(db, [...distinct.values()]);
  const grouped = new Map<string, AnsweredVersion[]>();
  for (const row of rows) {
    const key = `${row.asked_module}@${row.asked_version}`;
    grouped.set(key, [...(grouped.get(key) ?? []), row]);
  }
  return grouped;
}

/**
 * Which versions have their files in this server's mirrors. What another server added is brought here first, if the
 * database keeps it.
 */
export async function holdAll(
  { mirrors, bundles }: Pick<ResolveParts, 'mirrors' | 'bundles'>,
  versions: readonly { module: string; commit: string }[],
): Promise<ReadonlySet<string>> {
  const held = await whichAreHeld(mirrors, versions);
  const lacking = versions.filter((version) => !held.has(versionKey(version))).map(({ module }) => module);
  let hasCome = false;
  for (const module of new Set(lacking)) hasCome = (await bundles.restore(module)) || hasCome;
  return hasCome ? whichAreHeld(mirrors, versions) : held;
}

/** A server that has just started asks git about each version; a few at a time. */
const AT_ONCE = 4;

async function whichAreHeld(mirrors: Mirrors, versions: readonly { module: string; commit: string }[]) {
  const distinct = [...new Map(versions.map((version) => [versionKey(version), version])).values()];
  const held = new Set<string>();
  for (const some of chunksOf(distinct, AT_ONCE)) {
    const answers = await Promise.all(some.map(({ module, commit }) => mirrors.holds(module, commit)));
    some.forEach((version, index) => {
      if (answers[index]) held.add(versionKey(version));
    });
  }
  return held;
}

type TagNames = (module: string) => Promise<string>;

/** For the sentence of a refusal; one look-up a module. */
function tagNames(db: Db): TagNames {
  const known = new Map<string, Promise<string>>();
  return (module) => {
    const names = known.get(module) ?? findTags(db, module).then((rows) => rows.map((row) => row.tag).join(', '));
    known.set(module, names);
    return names;
  };
}

/**
 * | the store has                  | answer                                 |
 * | ------------------------------ | -------------------------------------- |
 * | no such app                    | UNKNOWN_METHOD                         |
 * | no such tag or commit          | VERSION_NOT_FOUND                      |
 * | several commits that begin so  | VERSION_NOT_FOUND, asking for more     |
 * | one, withdrawn                 | VERSION_WITHDRAWN                      |
 * | one                            | null: go on                            |
 */
async function judgeVersion(
  { module, version }: Question,
  rows: readonly AnsweredVersion[],
  tagsOf: TagNames,
): Promise<NotFound | null> {
  const [row] = rows;
  if (row === undefined ? !ASKABLE.test(module) : row.repository === null) {
    return notFound('UNKNOWN_METHOD', `there is no app '${module}'; reprise app list shows those there are`);
  }
  if (row === undefined || row.app_commit === null) {
    const tags = (await tagsOf(module)) || 'none';
    return notFound('VERSION_NOT_FOUND', `app ${module} has no tag or commit '${version}'; its tags: ${tags}`);
  }
  if (rows.length > 1) {
    const sentence = `${rows.length} commits of app ${module} begin with '${version}'; give more of the commit`;
    return notFound('VERSION_NOT_FOUND', sentence);
  }
  if (row.withdrawn_at === null) return null;
  return notFound('VERSION_WITHDRAWN', withdrawnSentence(module, row.app_commit, row));
}

export function withdrawnSentence(
  module: string,
  commit: string,
  w: { withdrawn_by: string | null; withdrawn_reason: string | null },
): string {
  const reason = w.withdrawn_reason === null ? '' : ` (${w.withdrawn_reason})`;
  return `version ${commit} of app ${module} was withdrawn by ${w.withdrawn_by}${reason}; use another version`;
}

/** Before anything is recorded: a job whose version is gone would only hang or fail. */
function judgeMirror({ module }: Question, row: AnsweredVersion, held: ReadonlySet<string>): NotFound | null {
  const commit = row.app_commit as string;
  if (held.has(versionKey({ module, commit }))) return null;
  return notFound(
    'VERSION_WITHDRAWN',
    `version ${commit} of app ${module} is gone from the server's disk; bring it back with: reprise app add ${row.repository} --ref ${commit}`,
  );
}

function judgeMethod(
  { module, method, version }: Question,
  row: AnsweredVersion,
  manifests: ReadonlyMap<string, KnownManifest>,
): FoundMethod | NotFound {
  const commit = row.app_commit as string;
  const manifest = manifests.get(versionKey({ module, commit }));
  const declared = manifest?.method(method);
  if (declared !== undefined) {
    return { ok: true, module, method: `${module}.${method}`, commit, tag: row.is_tag ? version : null, declared };
  }
  const names = manifest?.methodNames.join(', ');
  const sentence = `app ${module} has no method '${method}' at ${version} (commit ${commit}); it has: ${names}`;
  return notFound('UNKNOWN_METHOD', sentence);
}
