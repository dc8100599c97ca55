import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileParamsSchema } from '../../src/catalog/params-schema.js';

const refused = (schema: unknown) => {
  try {
    compileParamsSchema(schema);
    return 'taken';
  } catch (error) {
    return (error as Error).message;
  }
};

describe("the schema of a method's parameters", () => {
  it.each([
    [{ type: 'object', required: ['name'] }, {}, "params must have the member 'name'"],
    [{ type: 'object' }, null, 'params must be object'],
    [{ additionalProperties: false }, { x: 1 }, "params may not have the member 'x'"],
    [{ type: 'object', unevaluatedProperties: false }, { x: 1 }, "params may not have the member 'x'"],
    [{ properties: { a: { items: { type: 'integer' } } } }, { a: [1, 1.5] }, 'params.a[1] must be integer'],
    [{ properties: { 'a/b~c': { enum: ['x', 1] } } }, { 'a/b~c': 2 }, 'params.a/b~c must be one of "x",1'],
    [{ properties: { a: { const: [1] } } }, { a: 1 }, 'params.a must be [1]'],
    [{ properties: { a: false } }, { a: 1 }, 'params.a is not allowed'],
    [{ properties: { a: { pattern: '^[A-Z]{2}\\d+$' } } }, { a: 'A1' }, 'params.a must match pattern "^[A-Z]{2}\\d+$"'],
    [{ prefixItems: [{ type: 'string' }] }, [1], 'params[0] must be string'],
    [{ required: ['toString'] }, {}, "params must have the member 'toString'"],
    [false, 1, 'params is not allowed'],
  ])('%j says of %j the first reason with its place', (schema, params, reason) => {
    expect(compileParamsSchema(schema)(params)).toBe(reason);
  });

  it('takes what fits, also through references within it, and of every dialect it knows', () => {
    const name = { $defs: { name: { type: 'string' } }, properties: { a: { $ref: '#/$defs/name' } } };
    const dialects = ['https://json-schema.org/draft/2020-12/schema', 'https://json-schema.org/draft/2019-09/schema'];
    const older = {
      $schema: 'http://json-schema.org/draft-07/schema#',
      items: [{ type: 'string' }],
      additionalItems: false,
    };
    for (const schema of [name, ...dialects.map(($schema) => ({ $schema, ...name }))]) {
      const check = compileParamsSchema(schema);
      expect([check({ a: 'x' }), check({ a: 1 })]).toEqual([null, 'params.a must be string']);
    }
    expect([compileParamsSchema(older)(['x']), compileParamsSchema(older)(['x', 1])]).toEqual([
      null,
      'params must NOT have more than 1 items',
    ]);
    expect(compileParamsSchema(true)(undefined)).toBeNull();
  });

  it('may have the same $id in two versions of an app', () => {
    const of = (type: string) => compileParamsSchema({ $id: 'https://example.org/params', type });
    const [first, second] = [of('string'), of('number')];
    expect([first('x'), first(1), second('x'), second(1)]).toEqual([
      null,
      'params must be string',
      'params must be number',
      null,
    ]);
  });

  it.each([
    [
      { $ref: 'https://example.org/other.json' },
      /refers to 'https:\/\/example\.org\/other\.json', which is not in it; nothing is fetched/,
    ],
    [{ $ref: '#/$defs/missing' }, /refers to '#\/\$defs\/missing'/],
    [{ $ref: 'file:///etc/passwd' }, /nothing is fetched/],
    [{ type: 'objekt' }, /params_schema\.type must be/],
    [{ properties: [] }, /params_schema\.properties must be object/],
    [{ minimum: '1' }, /params_schema\.minimum must be number/],
    [{ items: [{}] }, /params_schema\.items must be object,boolean/],
    [{ $async: true }, /\$async/],
    [
      { $schema: 'http://json-schema.org/draft-04/schema#' },
      /its \$schema is 'http:\/\/json-schema\.org\/draft-04\/schema'; known are /,
    ],
    [{ pattern: '(' }, /linear time or is wrong/],
    [{ pattern: '^(?!x)' }, /no look-around/],
    [{ pattern: '(a)\\1' }, /no back-references/],
    ['object', /it must be a JSON Schema/],
    [null, /it must be a JSON Schema/],
  ])('%j is refused when the app is added', (schema, sentence) => {
    expect(refused(schema)).toMatch(sentence);
  });

  it('cannot keep the server busy with a pattern: it is matched in linear time', () => {
    const check = compileParamsSchema({ pattern: '^(a+)+$', patternProperties: { '^(b|b)*c$': false } });
    const begun = performance.now();
    expect(check(`${'a'.repeat(20_000)}!`)).toMatch(/must match pattern/);
    expect(check({ [`${'b'.repeat(20_000)}d`]: 1 })).toBeNull();
    expect(performance.now() - begun).toBeLessThan(5_000);
  });

  it('that refers to itself is followed, and refuses what is nested too deeply instead of falling over', () => {
    const check = compileParamsSchema({ $defs: { a: { items: { $ref: '#/$defs/a' } } }, $ref: '#/$defs/a' });
    let deep: unknown = [];
    for (let level = 0; level < 200_000; level += 1) deep = [deep];
    expect(check(deep)).toBe('params is nested too deeply for its schema');
    const tree = compileParamsSchema({ type: 'object', properties: { child: { $ref: '#' } } });
    expect([tree({ child: { child: {} } }), tree({ child: { child: 1 } })]).toEqual([
      null,
      'params.child.child must be object',
    ]);
    expect(compileParamsSchema({ $ref: '#' })(1)).toBe('params is nested too deeply for its schema');
  });

  it('matches patterns as JavaScript does', () => {
    const atom = fc.constantFrom('a', 'b', '.', '\\d', '\\w', '[ab]', '[^a]', '(?:a|b)', '\\u0061', '\\.', 'é');
    const piece = fc.tuple(atom, fc.constantFrom('', '*', '+', '?', '{1,2}')).map((parts) => parts.join(''));
    const pattern = fc.tuple(fc.constantFrom('', '^'), fc.array(piece, { maxLength: 5 }), fc.constantFrom('', '$'));
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '1', '.', 'é', 'x'), maxLength: 8 });
    fc.assert(
      fc.property(pattern, text, ([begin, middle, end], sample) => {
        const source = begin + middle.join('') + end;
        expect(compileParamsSchema({ pattern: source })(sample) === null).toBe(new RegExp(source, 'u').test(sample));
      }),
      { numRuns: 200 },
    );
  });
});
