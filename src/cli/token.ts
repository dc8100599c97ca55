/** `reprise token`: API tokens and the users behind them. */
import { type Command, Option } from 'commander';
import type { RestParams } from '../contract/operations.js';
import { asking, type Common, milliseconds, quiet } from './options.js';
import { columns, print, printJson, say } from './output.js';
import { connect } from './session.js';
import { ago, clockAndAgo, oneLine, table } from './text.js';

export function addToken(program: Command): void {
  const token = program.command('token').description('API tokens').helpCommand(false);
  addCreate(token);
  addList(token);
  addRevoke(token);
}

interface CreateOptions extends Common {
  readonly user?: string;
  readonly name?: string;
  readonly admin?: 'read' | 'write';
  readonly expires?: number;
}

function addCreate(token: Command): void {
  asking(token.command('create'))
    .description('make a token; it is printed, and never shown again')
    .addOption(new Option('--user <name>', 'whose; a new user is made (admins; default: you)'))
    .addOption(new Option('--name <name>', 'what it is for'))
    .addOption(new Option('--admin <role>', 'give the user this role').choices(['read', 'write']))
    .addOption(new Option('--expires <time>', 'after e.g. 12h, 30d (default: never)').argParser(milliseconds))
    .addHelpText('after', '\nExample:\n  reprise token create --user ada --name laptop --expires 30d')
    .action(async ({ user, name, admin, expires, ...common }: CreateOptions) => {
      const request: RestParams<'createToken'> = {
        ...(user !== undefined && { user }),
        ...(name !== undefined && { name }),
        ...(admin !== undefined && { admin }),
        ...(expires !== undefined && { expires_in_ms: expires }),
      };
      const made = await connect(common).call('createToken', request);
      if (common.json) return printJson(made);
      const until =
        made.expires_at === null ? 'does not expire' : `expires ${clockAndAgo(made.expires_at, new Date())}`;
      say(`token ${made.token_id} of ${made.user} ${until}; keep it, it is not shown again`);
      print(made.token);
    });
}

function addList(token: Command): void {
  asking(token.command('list'))
    .description("your tokens, or every user's for admins")
    .addOption(new Option('--user <name>', 'of this user'))
    .addOption(quiet())
    .action(async ({ user, ...common }: Common & { user?: string; quiet?: true }) => {
      const answer = await connect(common).call('listTokens', user === undefined ? {} : { user });
      if (common.json) return printJson(answer);
      if (common.quiet) return answer.items.forEach(({ token_id }) => void print(token_id));
      const now = new Date();
      const rows = answer.items.map((item) => [
        item.token_id,
        item.user,
        ago(item.created_at, now),
        item.revoked_at !== null ? `revoked ${ago(item.revoked_at, now)}` : lifeOf(item.expires_at, now),
        oneLine(item.name),
      ]);
      print(table(['token', 'user', 'created', 'state', 'name'], rows, { width: columns() }));
    });
}

function lifeOf(expiresAt: string | null, now: Date): string {
  if (expiresAt === null) return 'good';
  return Date.parse(expiresAt) <= now.getTime() ? `expired ${ago(expiresAt, now)}` : `expires ${ago(expiresAt, now)}`;
}

function addRevoke(token: Command): void {
  asking(token.command('revoke'))
    .description('revoke a token, at once')
    .argument('<token>', 'its id, as list shows it')
    .action(async (tokenId: string, common: Common) => {
      const revoked = await connect(common).call('revokeToken', { token_id: tokenId });
      if (common.json) return printJson(revoked);
      say(`token ${revoked.token_id} of ${revoked.user} is revoked`);
      print(revoked.token_id);
    });
}
