import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { docsPage } from '../../src/api/docs-page.js';
import { openApiDocument } from '../../src/api/openapi.js';
import { operations } from '../../src/contract/operations.js';

const document = openApiDocument('1.2.3');
const rest = Object.entries(operations).flatMap(([name, o]) => ('rest' in o ? [{ name, ...o.rest }] : []));

describe('the OpenAPI document', () => {
  it('is valid OpenAPI 3.1, references included', async () => {
    const validator = new Validator();
    expect(await validator.validate(structuredClone(document))).toMatchObject({ valid: true });
    expect(validator.version).toBe('3.1');
    const { schemas } = document.components as { schemas: Record<string, unknown> };
    const referred = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(
      ([, name]) => name!,
    );
    expect(referred.length).toBeGreaterThan(50);
    expect(referred.filter((name) => !(name in schemas))).toEqual([]);
  });

  it('has every operation with a route, and its page names each', () => {
    const paths = document.paths as Record<string, Record<string, { operationId: string }>>;
    const page = docsPage('1.2.3');
    for (const { name, method, path } of rest) {
      expect(paths[path]?.[method.toLowerCase()]?.operationId).toBe(name);
      expect(page).toContain(`id="${name}"`);
    }
  });

  it('gives every member of a path as a required parameter', () => {
    const paths = document.paths as Record<string, Record<string, { parameters: { name: string; in: string }[] }>>;
    for (const { method, path } of rest) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const told = paths[path]![method.toLowerCase()]!.parameters.filter((p) => p.in === 'path').map((p) => p.name);
      expect(told.sort()).toEqual(named.sort());
    }
  });
});
