/** What every catalog must do: from a method's name and a version to one exact commit, or a sentence that says why not. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Catalog, Resolution } from '../../src/catalog/catalog.js';

export interface CatalogHarness {
  readonly catalog: Catalog;
  /**
   * A new version of module `demo`, told apart by `word`; returns its full commit. Its methods: `plain` declares nothing but
   * a command; `full` declares 2 cpus, 300 MB, 5 GB, group `big`, and, where the catalog holds apps, 90 s, environment
   * WORD=<word>, and parameters that must be an object with a string `name`.
   */
  publish(word: string): Promise<string>;
  point(tag: string, commit: string): Promise<void>;
  /** Where the catalog holds apps. */
  withdraw?(commit: string): Promise<void>;
  close(): Promise<void>;
}

/** `holdsApps`: it has the apps themselves, with their methods, parameters and commands, and can withdraw a version. */
export function catalogConformance(name: string, holdsApps: boolean, open: () => Promise<CatalogHarness>): void {
  describe(`catalog: ${name}`, () => {
    let h: CatalogHarness;
    let one: string;
    let two: string;
    beforeAll(async () => {
      h = await open();
      one = await h.publish('one');
      two = await h.publish('two');
      await h.point('release', one);
      await h.point('dev', two);
    });
    afterAll(() => h.close());

    const resolve = async (method: string, version?: string) =>
      (await h.catalog.resolve([{ method, version }]))[0] as Resolution;
    const specOf = async (method: string, version?: string) => {
      const answer = await resolve(method, version);
      if (!answer.ok) throw new Error(answer.sentence);
      return answer.spec;
    };
    const refusalOf = async (method: string, version?: string) => {
      const answer = await resolve(method, version);
      return answer.ok ? `ok ${answer.spec.commit}` : `${answer.code}: ${answer.sentence}`;
    };

    it('resolves a tag, a commit and nothing (release) to a full commit, and says which tag was asked', async () => {
      expect(await specOf('demo.plain')).toMatchObject({
        commit: one,
        tag: 'release',
        module: 'demo',
        method: 'demo.plain',
      });
      expect(await specOf('demo.plain', '')).toMatchObject({ commit: one, tag: 'release' });
      expect(await specOf('demo.plain', 'dev')).toMatchObject({ commit: two, tag: 'dev' });
      expect(await specOf('demo.plain', one)).toMatchObject({ commit: one, tag: null });
    });

    it('gives what the method declares, and nothing or a sane number for the rest', async () => {
      expect(await specOf('demo.full')).toMatchObject({
        ...(holdsApps && { timeoutMs: 90_000 }),
        cpus: 2,
        memoryMb: 300,
        diskGb: 5,
        clientGroup: 'big',
      });
      const plain = await specOf('demo.plain');
      for (const number of [plain.timeoutMs, plain.cpus ?? 1, plain.memoryMb ?? 1])
        expect(number).toBeGreaterThanOrEqual(1);
      expect([plain.diskGb, plain.clientGroup]).toEqual([null, null]);
    });

    if (holdsApps)
      it("checks parameters against the method's schema, with a reason that names the place", async () => {
        const { checkParams } = await specOf('demo.full');
        expect(checkParams({ name: 'x' })).toBeNull();
        expect(checkParams({ name: 1 })).toMatch(/demo\.full.*name/);
        expect(checkParams(null)).toMatch(/demo\.full/);
        expect((await specOf('demo.plain')).checkParams({ anything: [1, null] })).toBeNull();
      });

    it('answers in the order asked, each on its own, equal requests alike', async () => {
      const requests = [
        { method: holdsApps ? 'demo.nope' : 'nope.nope', version: undefined },
        { method: 'demo.plain', version: 'dev' },
        { method: 'plain', version: undefined },
        { method: 'demo.plain', version: undefined },
        { method: 'nope.plain', version: undefined },
        { method: 'demo.plain', version: 'beta' },
        { method: 'demo.plain', version: 'dev' },
      ];
      const answers = await h.catalog.resolve(requests);
      expect(answers.map((answer) => (answer.ok ? answer.spec.commit : answer.code))).toEqual([
        'UNKNOWN_METHOD',
        two,
        'INVALID_INPUT',
        one,
        'UNKNOWN_METHOD',
        'VERSION_NOT_FOUND',
        two,
      ]);
      expect(await h.catalog.resolve([])).toEqual([]);
    });

    it('answers ten thousand equal requests at the cost of about one', async () => {
      const begun = performance.now();
      const answers = await h.catalog.resolve(
        Array.from({ length: 10_000 }, () => ({ method: 'demo.plain', version: one })),
      );
      expect(answers.every((answer) => answer.ok && answer.spec.commit === one)).toBe(true);
      expect(performance.now() - begun).toBeLessThan(2_000);
    });

    it.each(['plain', 'demo.', '.plain', 'demo.plain.x', '', '.', ' . ', 'demo.pl\u0000ain', 'demo.\ud800\u0007'])(
      'refuses the name %j with the sentence that EE2 has',
      async (method) => {
        expect(await refusalOf(method)).toBe(
          `INVALID_INPUT: Unrecognized method: '${method}'. Please input module_name.function_name`,
        );
      },
    );

    it.each([
      'constructor.plain',
      ...(holdsApps ? ['demo.constructor', 'demo.__proto__'] : []),
      '../demo.plain',
      'demo\ud800.plain',
      'DEMO.plain',
    ])('does not know the method %j', async (method) => {
      expect(await refusalOf(method)).toMatch(/^(UNKNOWN_METHOD|INVALID_INPUT): /);
    });

    it('names the thing in a refusal, and what there is instead', async () => {
      if (holdsApps) expect(await refusalOf('demo.nope')).toMatch(/demo.*nope.*plain/);
      expect(await refusalOf('nope.plain')).toMatch(holdsApps ? /nope/ : /^UNKNOWN_METHOD: Module cannot be found/);
      expect(await refusalOf('demo.plain', 'beta')).toMatch(/^VERSION_NOT_FOUND: .*demo.*beta/);
      expect(await refusalOf('demo.plain', 'beta')).toMatch(/dev/);
      expect(await refusalOf('demo.plain', 'beta')).toMatch(/release/);
    });

    it.each(['f'.repeat(40), 'f', '0', '%', 'dev ; x', "'", '\u0000', '\ud800', 'x'.repeat(10_000)])(
      'does not know the version %j',
      async (version) => {
        expect(await refusalOf('demo.plain', version)).toMatch(/^VERSION_NOT_FOUND: /);
      },
    );

    if (holdsApps)
      it('says what a runner needs to run a recorded job, in the order asked', async () => {
        const asked = [
          { method: 'demo.full', commit: two },
          { method: 'demo.plain', commit: one },
          { method: 'demo.full', commit: one },
        ];
        const executions = await h.catalog.executions(asked);
        expect(executions.map(({ module, commit, env }) => [module, commit, env.WORD])).toEqual([
          ['demo', two, 'two'],
          ['demo', one, undefined],
          ['demo', one, 'one'],
        ]);
        for (const { command } of executions) expect(command.length).toBeGreaterThan(0);
        expect(await h.catalog.executions([])).toEqual([]);
      });

    it('keeps a commit resolvable after its tag has moved on', async () => {
      const three = await h.publish('three');
      await h.point('moving', one);
      await h.point('moving', three);
      expect(await specOf('demo.plain', 'moving')).toMatchObject({ commit: three });
      expect(await specOf('demo.plain', one)).toMatchObject({ commit: one });
    });

    if (holdsApps)
      it('refuses a version that was withdrawn, by tag and by commit, and still says how its recorded jobs run', async () => {
        const bad = await h.publish('bad');
        await h.point('bad', bad);
        await h.withdraw?.(bad);
        expect(await refusalOf('demo.plain', bad)).toMatch(new RegExp(`^VERSION_WITHDRAWN: .*${bad}`));
        expect(await refusalOf('demo.plain', 'bad')).toMatch(/^VERSION_WITHDRAWN: /);
        expect(await specOf('demo.plain')).toMatchObject({ commit: one });
        expect(await h.catalog.executions([{ method: 'demo.plain', commit: bad }])).toHaveLength(1);
      });
  });
}
