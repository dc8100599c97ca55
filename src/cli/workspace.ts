/** `reprise workspace`: who may read, run and retry what together. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { RestParams, RestResult } from '../contract/operations.js';
import type { WorkspaceView } from '../contract/schemas.js';
import { asAdmin, asking, type Common, positive, quiet } from './options.js';
import { columns, print, printJson, say } from './output.js';
import { connect } from './session.js';
import { oneLine, table } from './text.js';

export function addWorkspace(program: Command): void {
  const workspace = program.command('workspace').description('workspaces and their members').helpCommand(false);
  addCreate(workspace);
  addShare(workspace);
  addList(workspace);
}

function addCreate(workspace: Command): void {
  asking(workspace.command('create'))
    .description('make a workspace and become its admin; prints its number')
    .requiredOption('--name <name>')
    .action(async ({ name, ...common }: Common & { name: string }) => {
      const made = await connect(common).call('createWorkspace', { name });
      if (common.json) return printJson(made);
      say(
        `workspace ${made.wsid} is yours; share it with: reprise workspace share ${made.wsid} --user NAME --role write`,
      );
      print(String(made.wsid));
    });
}

type Role = RestParams<'shareWorkspace'>['role'];

function addShare(workspace: Command): void {
  asking(workspace.command('share'))
    .description("give or take a member's role")
    .argument('<wsid>', 'its number', wsid)
    .requiredOption('--user <name>', "'*' with --role read lets everyone read")
    .addOption(new Option('--role <role>').choices(['read', 'write', 'admin', 'none']).makeOptionMandatory())
    .addOption(asAdmin())
    .action(async (id: number, { user, role, ...o }: Common & { user: string; role: Role; asAdmin?: true }) => {
      const request = { wsid: id, user, role, ...(o.asAdmin && { as_admin: true }) };
      const shared: RestResult<'shareWorkspace'> = await connect(o).call('shareWorkspace', request);
      if (o.json) return printJson(shared);
      say(`workspace ${shared.wsid}: ${membersOf(shared)}`);
      print(String(shared.wsid));
    });
}

function wsid(text: string): number {
  try {
    return positive(text);
  } catch {
    throw new InvalidArgumentError('It must be the number of a workspace.');
  }
}

const membersOf = ({ members }: WorkspaceView): string => members.map(({ user, role }) => `${user} ${role}`).join(', ');

function addList(workspace: Command): void {
  asking(workspace.command('list'))
    .description('workspaces you can read')
    .addOption(quiet())
    .addOption(asAdmin())
    .action(async (o: Common & { quiet?: true; asAdmin?: true }) => {
      const answer = await connect(o).call('listWorkspaces', o.asAdmin ? { as_admin: true } : {});
      if (o.json) return printJson(answer);
      if (o.quiet) return answer.items.forEach((item) => void print(String(item.wsid)));
      if (answer.items.length === 0) return say('no workspaces; make one with: reprise workspace create --name NAME');
      const rows = answer.items.map((item) => [String(item.wsid), oneLine(item.name), item.role, membersOf(item)]);
      print(table(['wsid', 'name', 'you', 'members'], rows, { width: columns() }));
    });
}
