/** The readable page of the REST reference, printed from the same table. It loads nothing and runs no script. */
import type { TSchema } from 'typebox';
import { membersOf, type RestOperation, restOperations } from './openapi.js';

const escaped = (text: string) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

export function docsPage(version: string): string {
  const all = restOperations();
  const tags = [...new Set(all.map(({ rest }) => rest.tag))];
  const contents = tags.map((tag) => `<a href="#${tag}">${tag}</a>`).join(' · ');
  const sections = tags
    .map((tag) =>
      sectionOf(
        tag,
        all.filter(({ rest }) => rest.tag === tag),
      ),
    )
    .join('\n');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Reprise REST reference</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Reprise REST reference</h1>
<p>Version ${escaped(version)}. Routes are below <code>/api/v1</code>. Send <code>Authorization: Bearer &lt;token&gt;</code>. Times
are RFC 3339; a failure is <code>{"error": {"code", "message", "details"?}}</code> with a stable code. The same as a document:
<a href="openapi.json">openapi.json</a>.</p>
<nav>${contents}</nav>
${sections}
</main>
</body>
</html>
`;
}

function sectionOf(tag: string, operations: readonly RestOperation[]): string {
  return `<h2 id="${tag}">${tag}</h2>\n${operations.map(articleOf).join('\n')}`;
}

function articleOf({ name, summary, permission, rest }: RestOperation): string {
  const { inPath, others, required } = membersOf(rest);
  const where = rest.method === 'POST' || rest.method === 'PUT' ? 'body' : 'query';
  const rows = [
    ...inPath.map(([member, schema]) => rowOf(member, schema, 'path', true)),
    ...others.map(([member, schema]) => rowOf(member, schema, where, required.has(member))),
  ];
  const heads = '<tr><th>member</th><th>in</th><th>type</th><th>meaning</th></tr>';
  const table = rows.length === 0 ? '' : `<table>${heads}${rows.join('')}</table>`;
  const notes = [
    permission === 'user' ? '' : 'Needs no Authorization header.',
    rest.list === undefined ? '' : `A body that is a list stands for <code>${rest.list}</code>.`,
    rest.stream
      ? 'A stream with <code>Accept: text/event-stream</code>; resumes after <code>Last-Event-ID</code>.'
      : '',
  ].filter((note) => note !== '');
  return `<article id="${name}">
<h3><span class="method">${rest.method}</span> <code>${escaped(rest.path)}</code></h3>
<p>${escaped(summary)}.${notes.length > 0 ? ` ${notes.join(' ')}` : ''}</p>
${table}
<p>Answers <code>${escaped(typeOf(rest.result))}</code></p>
</article>`;
}

function rowOf(name: string, schema: TSchema, where: string, required: boolean): string {
  const { description = '', default: preset } = schema as { description?: string; default?: unknown };
  const told = preset === undefined ? description : `${description} Default ${JSON.stringify(preset)}.`.trim();
  const mark = required ? '' : ' <span class="optional">optional</span>';
  return `<tr><td><code>${name}</code>${mark}</td><td>${where}</td><td><code>${escaped(typeOf(schema))}</code></td><td>${escaped(told)}</td></tr>`;
}

interface Shape {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly TSchema[];
  readonly items?: TSchema;
  readonly properties?: Readonly<Record<string, TSchema>>;
  readonly required?: readonly string[];
}

function typeOf(schema: TSchema): string {
  const shape = schema as Shape;
  if (shape.enum !== undefined) return shape.enum.map((word) => `"${word}"`).join(' | ');
  if (shape.anyOf !== undefined) return shape.anyOf.map(typeOf).join(' | ');
  if (shape.type === 'array') return `[${typeOf(shape.items as TSchema)}]`;
  if (shape.type !== 'object') return shape.type ?? 'any';
  const names = Object.keys(shape.properties ?? {}).map((name) => (shape.required?.includes(name) ? name : `${name}?`));
  return names.length === 0 ? 'object' : `{${names.join(', ')}}`;
}

const STYLE = `
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
code { font: 0.88em ui-monospace, monospace; overflow-wrap: anywhere; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
h3 { margin: 1.6rem 0 0.2rem; font-size: 1rem; }
.method { font: 600 0.8em ui-monospace, monospace; border: 1px solid currentColor; border-radius: 4px; padding: 0.1em 0.4em; }
.optional { opacity: 0.7; font-size: 0.8em; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 0.6rem 0.25rem 0; border-top: 1px solid var(--line); }
th { font-weight: 600; }`;
