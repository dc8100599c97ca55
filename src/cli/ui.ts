/** `reprise ui`: the way into the pages without typing a token. */
import type { Command } from 'commander';
import { asking, type Common } from './options.js';
import { print, printJson, say } from './output.js';
import { connect } from './session.js';

export function addUi(program: Command): void {
  asking(program.command('ui'))
    .description('print an address that signs your browser in, once')
    .addHelpText('after', '\nExample:\n  xdg-open "$(reprise ui)"')
    .action(async (common: Common) => {
      const session = connect(common);
      const { path, expires_at: until } = await session.call('createSignInLink', {});
      const url = session.url.replace(/\/+$/, '') + path;
      if (common.json) return printJson({ url, expires_at: until });
      say('open this within ten minutes; it is good once:');
      print(url);
    });
}
