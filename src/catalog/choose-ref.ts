/** What a repository offers, and which of it `--ref` means: a branch, a tag or a commit. */
import { RepriseError } from '../contract/errors.js';

/** Names (`HEAD`, `refs/heads/main`, `refs/tags/v1`, `refs/tags/v1^{}` …) → hash. */
export type Refs = ReadonlyMap<string, string>;

/** What to ask the repository for. `search`: all branches and tags, then look for a commit that begins so. */
export type Wanted =
  | { readonly kind: 'fetch'; readonly source: string }
  | { readonly kind: 'fetch-commit'; readonly commit: string }
  | { readonly kind: 'search'; readonly prefix: string };

const FULL = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const PREFIX = /^[0-9a-f]{4,63}$/;
/** git's own rule for names, and nothing that it would compute (`HEAD~1`, `main@{1}`). */
const NAME = /^(?!-)(?!.*(?:\.\.|@\{|\/\/))[^\s\p{Cc}~^:?*[\\]+$/u;

export function parseRefs(listing: string): Refs {
  const lines = listing.split('\n').filter((line) => line.includes('\t'));
  return new Map(lines.map((line) => [line.slice(line.indexOf('\t') + 1), line.slice(0, line.indexOf('\t'))]));
}

/**
 * | ref               | means                                                                        |
 * | ----------------- | ---------------------------------------------------------------------------- |
 * | `HEAD`            | the default branch                                                           |
 * | `refs/…`          | exactly this                                                                 |
 * | a name            | the tag or the branch; refused if there are both and they differ             |
 * | a whole hash      | this commit, if the repository gives it out                                  |
 * | beginning of one  | the only commit of any branch or tag that begins so                          |
 */
export function chooseRef(refs: Refs, ref: string): Wanted {
  if (!NAME.test(ref)) throw unknownRef(`'${ref}' is not a branch, a tag or a commit`, refs);
  if (ref === 'HEAD' && !refs.has('HEAD')) throw unknownRef('it has no default branch with a commit', refs);
  if (ref === 'HEAD' || (ref.startsWith('refs/') && refs.has(ref))) return { kind: 'fetch', source: ref };
  const named = [`refs/tags/${ref}`, `refs/heads/${ref}`].filter((name) => refs.has(name));
  const commits = new Set(named.map((name) => refs.get(`${name}^{}`) ?? refs.get(name)));
  if (commits.size > 1) {
    throw new RepriseError(
      'INVALID_INPUT',
      `'${ref}' is a branch and a tag; name refs/heads/${ref} or refs/tags/${ref}`,
    );
  }
  if (named[0] !== undefined) return { kind: 'fetch', source: named[0] };
  if (FULL.test(ref)) return { kind: 'fetch-commit', commit: ref };
  if (PREFIX.test(ref)) return { kind: 'search', prefix: ref };
  throw unknownRef(`it has no branch, tag or commit '${ref}'`, refs);
}

export function unknownRef(reason: string, refs: Refs): RepriseError {
  const names = [...refs.keys()].filter((name) => /^refs\/(heads|tags)\/[^^]+$/.test(name));
  const shown = names.slice(0, 10).map((name) => name.replace(/^refs\/(heads|tags)\//, ''));
  const tail = names.length > shown.length ? ', …' : '';
  const offer = names.length === 0 ? 'it is empty: commit something first' : `it has: ${shown.join(', ')}${tail}`;
  return new RepriseError('REPOSITORY_UNREADABLE', `${reason}; ${offer}`);
}
