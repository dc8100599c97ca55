/** Part of `npm run build`: a database directory with the schema in it, which a first start unpacks instead of making one. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildTemplate } from '../dist/store/embedded-build.js';
import { templateFile } from '../dist/store/embedded-template.js';

const file = templateFile();
const scratch = mkdtempSync(join(tmpdir(), 'reprise-template-'));
try {
  await buildTemplate(scratch, file);
  console.log(`build: ${file} (${(statSync(file).size / 1e6).toFixed(1)} MB)`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
