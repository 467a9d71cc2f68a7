// The tests of a bundle, run in a process of their own: a mutant may never come back, or take all memory.
import { fork } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const memories = new Set();
/** What files remember, of a piece of evidence or of addresses, under one mutant must not be seen under the next. */
const forgetful = (Kind) =>
  class {
    map = new Kind();
    constructor() {
      memories.add(this);
    }
    get size() {
      return this.map.size;
    }
    get(key) {
      return this.map.get(key);
    }
    has(key) {
      return this.map.has(key);
    }
    set(key, value) {
      this.map.set(key, value);
      return this;
    }
    clear() {
      this.map = new Kind();
    }
  };

const reached = new Set();

/** Runs tests one by one until one fails. */
async function run(tests, indices) {
  for (const index of indices) {
    process.send({ running: index });
    try {
      await tests[index]();
    } catch (error) {
      return { failed: index, message: error instanceof Error ? error.message : String(error) };
    }
  }
  return {};
}

/** What each test reaches, and how long it takes when all files have been read. */
async function survey(tests) {
  const onLoading = [...reached];
  const found = [];
  for (const body of tests) {
    forget();
    reached.clear();
    await body();
    found.push({ reaches: [...reached] });
  }
  for (const [index, body] of tests.entries()) {
    forget();
    const began = performance.now();
    await body();
    found[index].milliseconds = performance.now() - began;
  }
  return { onLoading, tests: found };
}

function forget() {
  for (const each of memories) each.clear();
}

const [bundle] = process.argv.slice(2);
if (process.argv[1] === import.meta.filename) {
  globalThis.lblabMap = forgetful(Map);
  globalThis.lblabWeakMap = forgetful(WeakMap);
  // A bundle for the survey asks this in place of comparing.
  globalThis.lblabReach = (id) => {
    reached.add(id);
    return false;
  };
  let tests;
  const answer = async ({ mutant, indices }) => {
    globalThis.lblabMutant = mutant;
    try {
      tests ??= (await import(bundle)).tests;
      forget();
      return indices === undefined ? await survey(tests) : await run(tests, indices);
    } catch (error) {
      return { failed: -1, message: String(error) };
    }
  };
  process.on('message', (question) => void answer(question).then((said) => process.send(said)));
}

/** A process with a bundle in it, loaded when it is first asked, with the mutant that it is then asked for. */
export class Runner {
  #bundle;
  #child;
  /** Tests that are ended in the middle leave their files: in the bundle's folder, which goes. */
  #env;

  constructor(bundle) {
    this.#bundle = pathToFileURL(bundle).href;
    this.#env = { ...process.env, TMPDIR: join(dirname(bundle), 'tmp') };
    mkdirSync(this.#env.TMPDIR, { recursive: true });
  }

  /**
   * What the tests say of a mutant: `failed` is the test that noticed it, absent where none did; -1 where it was not a test. `limitOf` gives the
   * milliseconds that a test may take, or all of them for `undefined`.
   */
  async ask(question, limitOf) {
    this.#child ??= fork(import.meta.filename, [this.#bundle], {
      // One in an endless loop does not notice that nobody asks any more.
      env: this.#env,
      execPath: 'setpriv',
      execArgv: ['--pdeathsig=KILL', '--', process.execPath, '--max-old-space-size=1024'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const child = this.#child;
    const said = await new Promise((done) => {
      const end = (value) => {
        clearTimeout(timer);
        child.removeAllListeners();
        done(value);
      };
      let timer;
      const wait = (index) => {
        clearTimeout(timer);
        timer = setTimeout(() => end({ failed: -1, message: 'it takes too long' }), limitOf(index));
      };
      wait();
      child.on('message', (message) =>
        message.running === undefined ? end(message) : wait(message.running),
      );
      child.once('exit', (code, signal) => end({ failed: -1, message: `it ends with ${signal ?? code}` }));
      child.send(question);
    });
    // It may be in the middle of a loop.
    if (said.failed === -1) this.end();
    return said;
  }

  /** The next question loads the bundle anew. */
  end() {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }
}
