// Whether the tests notice a change: `npm run mutate [-- FILE... --every 5]`. Each mutant of the files (src/verify and the heart of src/pcap by default) is
// run through the tests of its folder, in one process, until one fails. Prints the mutants that survive and writes docs/mutants.json.
import { readdirSync, readFileSync, writeFileSync, mkdirSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { build } from 'esbuild';
import { mutate } from './mutants.js';

const ROOT = resolve(import.meta.dirname, '../..');
const WORK = join(ROOT, 'node_modules/.cache/lblab-mutation');
/** Tests that take long to run through, in this order behind the others; and those that need other programs or chance. */
const SLOW = ['claims', 'twins', 'sabotage'];
const LEFT_OUT = ['captures', 'corpus', 'fuzz', 'hostile'];

/** The tests of a folder; those of claims first where it is claims that are mutated. */
function testsOf(folder, files) {
  const isClaims = files.every((file) => file.includes('/claims/'));
  const rank = (name) => (isClaims && name === 'claims' ? -2 : SLOW.indexOf(name));
  return readdirSync(join(ROOT, 'test', folder), { recursive: true })
    .filter((name) => name.endsWith('.test.ts') && !LEFT_OUT.includes(basename(name, '.test.ts')))
    .sort((a, b) => rank(basename(a, '.test.ts')) - rank(basename(b, '.test.ts')))
    .map((name) => `./test/${folder}/${String(name)}`);
}
/** Of src/pcap what everything else is made from; file formats and rarer protocols are left to the fuzzers and to tshark. */
const HEART = [
  'connections',
  'tracker',
  'lives',
  'stream',
  'http',
  'requests',
  'sight',
  'rows',
  'ranges',
  'rewrites',
  'twins',
  'transport',
  'fragments',
];

function filesOf(folder) {
  return readdirSync(join(ROOT, folder), { recursive: true })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('types.ts'))
    .map((name) => join(folder, name));
}

/** `--every 5`: each fifth mutant only, for a look in little time. */
const at = process.argv.indexOf('--every');
const every = at < 0 ? 1 : Number(process.argv.splice(at, 2)[1]);
const wanted = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const files =
  wanted.length > 0
    ? wanted.map((file) => relative(ROOT, resolve(file)))
    : [...filesOf('src/verify'), ...HEART.map((name) => `src/pcap/${name}.ts`)];

/** One bundle with the tests of a folder and every mutant of its files. */
async function bundle(group, own) {
  const mutants = [];
  const texts = new Map();
  for (const file of own) {
    const made = mutate(file, readFileSync(join(ROOT, file), 'utf8'), mutants.length);
    mutants.push(...made.mutants);
    texts.set(join(ROOT, file), made.text);
  }
  const outfile = join(WORK, `${group}.mjs`);
  await build({
    stdin: {
      contents: [
        ...testsOf(group, own).map((name) => `import '${name}';`),
        `export { runAll } from './test/mutation/shim.ts';`,
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
    banner: { js: WEAK },
    plugins: [
      {
        name: 'mutants',
        setup(bundler) {
          bundler.onLoad({ filter: /\.tsx?$/ }, ({ path }) => ({
            contents: (texts.get(path) ?? readFileSync(path, 'utf8'))
              .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href))
              .replaceAll('import.meta.dirname', JSON.stringify(resolve(path, '..')))
              .replaceAll('new WeakMap', 'new globalThis.lblabWeakMap'),
            loader: 'ts',
          }));
        },
      },
    ],
  });
  return { outfile, mutants };
}

/** What is remembered of a piece of evidence under one mutant must not be seen under the next. */
const WEAK = `globalThis.lblabWeakMap ??= class {
  static all = new Set(); map = new WeakMap();
  constructor() { this.constructor.all.add(this); }
  get(key) { return this.map.get(key); } has(key) { return this.map.has(key); }
  set(key, value) { this.map.set(key, value); return this; }
  static forget() { for (const each of this.all) each.map = new WeakMap(); }
};`;

const RUNNER = `
const { parentPort, workerData } = require('node:worker_threads');
globalThis.lblabMutant = workerData.mutant;
import(workerData.file).then(({ runAll }) => {
  parentPort.on('message', async (mutant) => {
    globalThis.lblabMutant = mutant;
    globalThis.lblabWeakMap.forget();
    parentPort.postMessage({ failed: await runAll() });
  });
  parentPort.postMessage({ ready: true });
}, (error) => parentPort.postMessage({ failed: String(error) }));
`;

function start(file, mutant) {
  const worker = new Worker(RUNNER, {
    eval: true,
    workerData: { file: pathToFileURL(file).href, mutant },
    stdout: true,
    stderr: true,
  });
  return { worker, loaded: answer(worker, 60_000) };
}

/** What a worker says next; "time" when it says nothing for too long. */
async function answer(worker, limit) {
  return new Promise((done) => {
    const end = (value) => {
      clearTimeout(timer);
      worker.removeAllListeners('message').removeAllListeners('error');
      done(value);
    };
    const timer = setTimeout(() => end({ failed: 'time' }), limit);
    worker.once('message', end).once('error', (error) => end({ failed: String(error) }));
  });
}

async function ask({ worker, loaded }, mutant, limit) {
  const { failed } = await loaded;
  if (failed !== undefined) return failed;
  const said = answer(worker, limit);
  worker.postMessage(mutant);
  return (await said).failed;
}

mkdirSync(WORK, { recursive: true });
const survivors = [];
const table = new Map();
for (const group of ['verify', 'pcap']) {
  const own = files.filter((file) => file.startsWith(`src/${group}/`));
  if (own.length === 0) continue;
  const { outfile, mutants } = await bundle(group, own);
  let runner = start(outfile, -1);
  const first = await ask(runner, -1, 120_000);
  if (first !== undefined) throw new Error(`the tests fail without a mutant: ${first}`);
  const began = Date.now();
  await ask(runner, -1, 120_000);
  const whole = Date.now() - began;
  process.stderr.write(
    `${group}: ${mutants.length} mutants in ${own.length} files; all tests take ${whole} ms\n`,
  );
  for (const [index, mutant] of mutants.entries()) {
    if (index % every !== 0) continue;
    if (mutant.isStatic) {
      await runner.worker.terminate();
      runner = start(outfile, mutant.id);
    }
    const failed = await ask(runner, mutant.id, 5 * whole + 5000);
    if (failed === undefined) {
      survivors.push(mutant);
      process.stdout.write(`${mutant.file}:${mutant.line}: ${mutant.was}: ${mutant.is}\n`);
    }
    const row = table.get(mutant.file) ?? { mutants: 0, survived: 0 };
    table.set(mutant.file, {
      mutants: row.mutants + 1,
      survived: row.survived + (failed === undefined ? 1 : 0),
    });
    // A mutant may have left the worker in the middle of a loop, or have been there when constants were made.
    if (mutant.isStatic || failed === 'time') {
      await runner.worker.terminate();
      runner = start(outfile, -1);
    }
    if (index % 100 < every && index > 0)
      process.stderr.write(
        `${index + 1} of ${mutants.length}: ${survivors.length} survive, ${Math.round((Date.now() - began) / 1000)} s\n`,
      );
  }
  await runner.worker.terminate();
}
for (const [file, { mutants, survived }] of table)
  process.stderr.write(`${file}: ${survived} of ${mutants} survive\n`);
if (wanted.length === 0)
  writeFileSync(
    join(ROOT, 'docs/mutants.json'),
    JSON.stringify({ every, files: Object.fromEntries(table), survivors }, null, 1),
  );
