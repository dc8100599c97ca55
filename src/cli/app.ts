/** `reprise app`: versions of apps and the tags that point at them. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { AppAdded, AppDetail } from '../contract/schemas.js';
import { asking, type Common, quiet } from './options.js';
import { columns, print, printJson, say } from './output.js';
import { connect } from './session.js';
import { ago, clockAndAgo, fields, oneLine, shortCommit, table, wrapped } from './text.js';

export function addApp(program: Command): void {
  const app = program.command('app').description('apps: git commits with moving tags').helpCommand(false);
  addAdd(app);
  addTag(app);
  addList(app);
  addShow(app);
  addWithdraw(app);
}

function addAdd(app: Command): void {
  asking(app.command('add'))
    .description('add a version from a git repository (write admins); prints its commit')
    .argument('<repository>', 'https or ssh address, or a directory of this machine')
    .addOption(new Option('--ref <ref>', 'branch, tag or commit (default: HEAD)'))
    .addOption(new Option('--tag <tag>', 'and point this tag of ours at it, e.g. release'))
    .addHelpText(
      'after',
      '\nExamples:\n  reprise app add https://git.example.org/phix.git --tag release\n' +
        '  reprise app add ./phix --ref v1.2 --tag beta',
    )
    .action(async (repository: string, { ref, tag, ...common }: Common & { ref?: string; tag?: string }) => {
      const request = {
        repository: whole(repository),
        ...(ref !== undefined && { ref }),
        ...(tag !== undefined && { tag }),
      };
      tell(await connect(common).call('addApp', request), common);
    });
}

/** A directory is told by its absolute path, since the server works elsewhere. */
function whole(repository: string): string {
  const isDirectory = statSync(repository, { throwIfNoEntry: false })?.isDirectory() ?? false;
  return isDirectory || /^\.{1,2}(\/|$)/.test(repository) ? resolve(repository) : repository;
}

function tell(added: AppAdded, { json }: Common): void {
  if (json) printJson(added);
  else {
    say(sentenceOf(added));
    print(added.commit);
  }
}

function sentenceOf({ module, commit, tag, moved_from: from }: AppAdded): string {
  if (tag === null) return `${module} at ${shortCommit(commit)}, without a tag`;
  const before = from === null || from === commit ? '' : ` (it pointed at ${shortCommit(from)})`;
  return `${module}: tag ${tag} points at ${shortCommit(commit)}${before}`;
}

function addTag(app: Command): void {
  asking(app.command('tag'))
    .description('point a tag at a commit that was added (write admins)')
    .argument('<module>')
    .argument('<tag>', 'dev, beta, release, …')
    .argument('<commit>', 'or the beginning of one')
    .action(async (module: string, tag: string, commit: string, common: Common) => {
      tell(await connect(common).call('moveTag', { module, tag, commit }), common);
    });
}

function addList(app: Command): void {
  asking(app.command('list'))
    .description('apps and where their tags point')
    .addOption(quiet())
    .action(async (common: Common & { quiet?: true }) => {
      const answer = await connect(common).call('listApps', {});
      if (common.json) return printJson(answer);
      if (common.quiet) return answer.items.forEach(({ module }) => void print(module));
      if (answer.items.length === 0) return say('no apps; add one with: reprise app add <repository> --tag release');
      const rows = answer.items.map(({ module, tags, repository }) => [
        module,
        tags.map(({ tag, commit }) => `${tag} ${shortCommit(commit)}`).join(', ') || '-',
        oneLine(repository),
      ]);
      print(table(['module', 'tags', 'repository'], rows, { width: columns() }));
    });
}

function addShow(app: Command): void {
  asking(app.command('show'))
    .description('one app: versions, tags, and where each tag pointed when')
    .argument('<module>')
    .action(async (module: string, common: Common) => {
      const detail = await connect(common).call('getApp', { module });
      if (common.json) return printJson(detail);
      print(described(detail, new Date()));
    });
}

function described(app: AppDetail, now: Date): string {
  const width = columns();
  const head = fields(
    [
      ['repository', oneLine(app.repository)],
      ['added', `${clockAndAgo(app.added_at, now)} by ${app.added_by}`],
    ],
    '  ',
    width,
  );
  const versions = app.versions.map((version) => [
    shortCommit(version.commit),
    app.tags
      .filter(({ commit }) => commit === version.commit)
      .map(({ tag }) => tag)
      .join(', ') || '-',
    `${ago(version.added_at, now)} by ${version.added_by}`,
    version.withdrawn_at === null ? version.methods.join(', ') : 'withdrawn',
  ]);
  const moves = app.tag_history.map((move) => [
    move.tag,
    move.from_commit === null ? '-' : shortCommit(move.from_commit),
    shortCommit(move.to_commit),
    `${clockAndAgo(move.moved_at, now)} by ${move.moved_by}`,
  ]);
  return [
    `app ${app.module}`,
    head,
    `\n${table(['version', 'tags', 'added', 'methods'], versions, { indent: '  ', width })}`,
    ...app.versions.filter(isWithdrawn).map((version) => `\n${wrapped(withdrawal(version, now), '  ', width)}`),
    `\n${table(['tag', 'from', 'to', 'moved'], moves, { indent: '  ', width })}`,
  ].join('\n');
}

const isWithdrawn = (version: AppDetail['versions'][number]): boolean => version.withdrawn_at !== null;

function withdrawal(version: AppDetail['versions'][number], now: Date): string {
  const reason = version.withdrawn_reason === null ? '' : `: ${oneLine(version.withdrawn_reason)}`;
  return `${shortCommit(version.commit)} was withdrawn ${ago(version.withdrawn_at ?? '', now)} by ${version.withdrawn_by}${reason}`;
}

function addWithdraw(app: Command): void {
  asking(app.command('withdraw'))
    .description('neither run nor retry a version any more (write admins)')
    .argument('<commit>', 'or the beginning of one')
    .addOption(new Option('--module <module>', 'where several apps have the commit'))
    .addOption(new Option('--reason <text>', 'why; told to those who are refused'))
    .action(async (commit: string, { module, reason, ...common }: Common & { module?: string; reason?: string }) => {
      const request = { commit, ...(module !== undefined && { module }), ...(reason !== undefined && { reason }) };
      const answer = await connect(common).call('withdrawVersion', request);
      if (common.json) return printJson(answer);
      say(`${answer.module} at ${shortCommit(answer.commit)} is withdrawn: it is neither run nor retried any more`);
      print(answer.commit);
    });
}
