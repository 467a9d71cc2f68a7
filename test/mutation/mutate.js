// Whether the tests notice a change: `npm run mutate [-- FILE... --every 5]`. Each mutant of the files (all of src/verify and src/pcap by
// default) is run through the tests that reach it until one fails. Prints the mutants that survive and are not argued in argued/, and
// exits with 1 if there are any. `--document` runs nothing and writes docs/mutants.md.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { parse } from 'yaml';
import { describe } from './document.js';
import { mutate } from './mutants.js';
import { Runner } from './runner.js';

const ROOT = resolve(import.meta.dirname, '../..');
const WORK = join(ROOT, 'node_modules/.cache/lblab-mutation');
/** Tests that need other programs, or chance. */
const LEFT_OUT = ['completeness', 'corpus', 'fuzz', 'hostile'];

const under = (folder) =>
  readdirSync(join(ROOT, folder), { recursive: true }).map((name) => join(folder, String(name)));
const sources = (folder) =>
  under(folder).filter(
    (name) => name.endsWith('.ts') && !name.endsWith('types.ts') && name !== 'src/pcap/index.ts',
  );
const testsOf = (group) =>
  under(`test/${group}`).filter(
    (name) => name.endsWith('.test.ts') && !LEFT_OUT.includes(basename(name, '.test.ts')),
  );

/** `--every 5`: each fifth mutant only, for a look in little time. */
const at = process.argv.indexOf('--every');
const every = at < 0 ? 1 : Number(process.argv.splice(at, 2)[1]);
const wanted = process.argv
  .slice(2)
  .filter((word) => !word.startsWith('--'))
  .map((file) => relative(ROOT, resolve(file)));
const files = wanted.length > 0 ? wanted : [...sources('src/verify'), ...sources('src/pcap')];

const argued = under('test/mutation/argued')
  .flatMap((name) => parse(readFileSync(join(ROOT, name), 'utf8')))
  .map(({ why, mutants }) => ({ why, keys: mutants.split('\n').filter((line) => line !== '') }));
const known = new Set(argued.flatMap(({ keys }) => keys));

/** One bundle with the tests of a folder and every mutant of its files, and one that tells which of them are reached. */
async function bundle(group, own) {
  const mutants = [];
  const texts = new Map();
  for (const file of own) {
    const made = mutate(file, readFileSync(join(ROOT, file), 'utf8'), mutants.length);
    mutants.push(...made.mutants);
    texts.set(join(ROOT, file), made.text);
  }
  const write = async (name, change) => {
    const outfile = join(WORK, `${name}.mjs`);
    await build({
      stdin: {
        contents: [
          ...testsOf(group).map((test) => `import './${test}';`),
          `export { tests } from './test/mutation/shim.ts';`,
        ].join('\n'),
        resolveDir: ROOT,
      },
      outfile,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      packages: 'external',
      logLevel: 'error',
      alias: { vitest: join(ROOT, 'test/mutation/shim.ts') },
      plugins: [
        {
          name: 'mutants',
          setup(bundler) {
            bundler.onLoad({ filter: /\.tsx?$/ }, ({ path }) => ({
              contents: change(texts.get(path) ?? readFileSync(path, 'utf8'))
                .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href))
                .replaceAll('import.meta.dirname', JSON.stringify(resolve(path, '..')))
                // What a file remembers from one call to the next begins empty.
                .replaceAll(/^(const \w+ = new )((?:Weak)?Map<.*>\(\);)$/gm, '$1globalThis.lblab$2'),
              loader: 'ts',
            }));
          },
        },
      ],
    });
    return outfile;
  };
  return {
    mutants,
    tested: await write(group, (text) => text),
    surveyed: await write(`${group}-survey`, (text) =>
      text.replaceAll(/globalThis\.lblabMutant([=!])==(\d+)/g, (_, sign, id) =>
        sign === '=' ? `globalThis.lblabReach(${id})` : `!globalThis.lblabReach(${id})`,
      ),
    ),
  };
}

/** Which tests reach each mutant, and which mutants are passed while the files are loaded, so that they matter to all tests. */
async function survey({ surveyed }) {
  const runner = new Runner(surveyed);
  const said = await runner.ask({ mutant: -1 }, () => 600_000);
  runner.end();
  if (said.failed !== undefined) throw new Error(`the tests fail without a mutant: ${said.message}`);
  const reachedBy = new Map();
  for (const [index, { reaches }] of said.tests.entries())
    for (const id of reaches) reachedBy.set(id, [...(reachedBy.get(id) ?? []), index]);
  const everything = said.tests.map((_, index) => index);
  return {
    milliseconds: said.tests.map((test) => Math.max(0.1, test.milliseconds)),
    onLoading: new Set(said.onLoading),
    reaching: (id) => (said.onLoading.includes(id) ? everything : (reachedBy.get(id) ?? [])),
  };
}

/** Those of the mutants that no test notices. */
async function survivorsOf({ mutants, tested }, { milliseconds, onLoading, reaching }, tell) {
  // Tests that noticed many mutants in little time come first.
  const kills = milliseconds.map(() => 0);
  const worth = (index) => (kills[index] + 1) / milliseconds[index];
  const survivors = [];
  const queue = mutants.filter(({ id }) => id % every === 0);
  const all = queue.length;
  // Until the first test runs, the bundle is loaded.
  const limitOf = (index) => (index === undefined ? 20_000 : 3_000 + 10 * milliseconds[index]);
  async function work() {
    const runner = new Runner(tested);
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const indices = reaching(mutant.id).toSorted((a, b) => worth(b) - worth(a));
      if (onLoading.has(mutant.id)) runner.end();
      const { failed } =
        indices.length === 0 ? {} : await runner.ask({ mutant: mutant.id, indices }, limitOf);
      if (onLoading.has(mutant.id)) runner.end();
      if (failed === undefined) {
        survivors.push(mutant);
        if (!known.has(mutant.key))
          process.stdout.write(
            `${mutant.line}\t${mutant.key}${indices.length > 0 ? '' : '\t(no test comes here)'}\n`,
          );
      } else if (failed >= 0) kills[failed] += 1;
      if (queue.length % 100 === 0) tell(all - queue.length, all, survivors.length);
    }
    runner.end();
  }
  await Promise.all(Array.from({ length: Math.max(1, Math.min(4, availableParallelism())) }, work));
  return survivors.toSorted((a, b) => a.id - b.id);
}

// esbuild writes into the files that are there, which may be hard links that another tree runs from.
rmSync(WORK, { recursive: true, force: true });
if (process.argv.includes('--document')) {
  const mutants = files.flatMap((file) => mutate(file, readFileSync(join(ROOT, file), 'utf8'), 0).mutants);
  writeFileSync(join(ROOT, 'docs/mutants.md'), await describe(mutants, argued));
  process.exit();
}

mkdirSync(WORK, { recursive: true });
const found = [];
const survived = [];
for (const group of ['verify', 'pcap']) {
  const own = files.filter((file) => file.startsWith(`src/${group}/`));
  if (own.length === 0) continue;
  const made = await bundle(group, own);
  const reach = await survey(made);
  const began = Date.now();
  process.stderr.write(`${group}: ${made.mutants.length} mutants in ${own.length} files\n`);
  const survivors = await survivorsOf(made, reach, (done, all, alive) =>
    process.stderr.write(
      `${done} of ${all}: ${alive} survive, ${Math.round((Date.now() - began) / 1000)} s\n`,
    ),
  );
  found.push(...made.mutants);
  survived.push(...survivors);
}
const open = survived.filter(({ key }) => !known.has(key));
const keys = new Set(survived.map(({ key }) => key));
const run = new Set(found.map(({ file }) => file));
const stale =
  every > 1 ? [] : [...known].filter((key) => run.has(key.slice(0, key.indexOf(' in '))) && !keys.has(key));
for (const key of stale) process.stdout.write(`argued, but it does not survive: ${key}\n`);
process.stderr.write(
  `${survived.length} of ${Math.ceil(found.length / every)} survive; ${open.length} of them are not argued\n`,
);
rmSync(WORK, { recursive: true, force: true });
if (open.length + stale.length > 0) process.exitCode = 1;
