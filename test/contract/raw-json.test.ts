import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseKeepingText, RawJson, stringifyKeepingText } from '../../src/contract/raw-json.js';

const HARD = '[1.0, 9007199254740993, 1e22, -0.0, "\\u2028", {"b":1,"a":2}]';

describe('JSON whose text is kept', () => {
  it('keeps the text of the members asked for, and parses the rest', () => {
    const body = `{"x": 1.50, "params": ${HARD} , "list":[{"params":1e2},{"params" : "]}\\""}]}`;
    expect(parseKeepingText(body, [['params'], ['list', '*', 'params']])).toEqual({
      x: 1.5,
      params: new RawJson(HARD),
      list: [{ params: new RawJson('1e2') }, { params: new RawJson('"]}\\""') }],
    });
  });

  it('writes a value with its raw members as they were', () => {
    const value = { b: new RawJson(HARD), a: [undefined, null, new Date(0)], skipped: undefined };
    expect(stringifyKeepingText(value)).toBe(`{"b":${HARD},"a":[null,null,"1970-01-01T00:00:00.000Z"]}`);
  });

  it('refuses what is not JSON as JSON.parse does', () => {
    for (const bad of ['', '{', '{"a":NaN}', '[1,]', '{"a":Infinity}']) {
      expect(() => parseKeepingText(bad, [['a']])).toThrow(SyntaxError);
    }
  });

  it('means the same as JSON.parse for every JSON text and every path', () => {
    const paths = fc.array(fc.array(fc.oneof(fc.constant('*'), fc.string({ maxLength: 2 })), { maxLength: 3 }));
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), fc.nat(3), paths, (text, indent, raw) => {
        const spaced = JSON.stringify(JSON.parse(text), null, indent);
        const kept = stringifyKeepingText(parseKeepingText(spaced, raw));
        expect(JSON.parse(kept)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('treats a member named __proto__ as data', () => {
    const value = parseKeepingText('{"__proto__":{"x":1},"a":2}', [['a']]) as object;
    expect(Object.keys(value)).toEqual(['__proto__', 'a']);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });
});
