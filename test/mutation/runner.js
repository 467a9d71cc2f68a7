// The tests of a bundle, run in a thread that may be ended when a mutant never comes back.
import { pathToFileURL } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

/** What is remembered of a piece of evidence under one mutant must not be seen under the next. */
class ForgetfulMap {
  static all = new Set();
  map = new WeakMap();
  constructor() {
    ForgetfulMap.all.add(this);
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
}

const reached = new Set();

/** Runs tests one by one until one fails. */
async function run(tests, indices) {
  for (const index of indices) {
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
  for (const each of ForgetfulMap.all) each.map = new WeakMap();
}

if (!isMainThread) {
  globalThis.lblabMutant = workerData.mutant;
  globalThis.lblabWeakMap = ForgetfulMap;
  // A bundle for the survey asks this in place of comparing.
  globalThis.lblabReach = (id) => {
    reached.add(id);
    return false;
  };
  let tests;
  const answer = async ({ mutant, indices }) => {
    globalThis.lblabMutant = mutant;
    try {
      tests ??= (await import(workerData.bundle)).tests;
      forget();
      return indices === undefined ? await survey(tests) : await run(tests, indices);
    } catch (error) {
      return { failed: -1, message: String(error) };
    }
  };
  parentPort.on('message', (question) => void answer(question).then((said) => parentPort.postMessage(said)));
}

/** A thread with a bundle in it, loaded when it is first asked, with the mutant that it is then asked for. */
export class Runner {
  #bundle;
  #worker;

  constructor(bundle) {
    this.#bundle = pathToFileURL(bundle).href;
  }

  /** What the tests say of a mutant within a time: `failed` is the test that noticed it, absent where none did; -1 where it was not a test. */
  async ask(question, limit) {
    this.#worker ??= new Worker(new URL(import.meta.url), {
      workerData: { bundle: this.#bundle, mutant: question.mutant },
      stdout: true,
      stderr: true,
    });
    const worker = this.#worker;
    const said = await new Promise((done) => {
      const end = (value) => {
        clearTimeout(timer);
        worker.removeAllListeners('message').removeAllListeners('error');
        done(value);
      };
      const timer = setTimeout(() => end({ failed: -1, message: 'it takes too long' }), limit);
      worker.once('message', end).once('error', (error) => end({ failed: -1, message: String(error) }));
      worker.postMessage(question);
    });
    // It may be in the middle of a loop.
    if (said.failed === -1) await this.end();
    return said;
  }

  /** The next question loads the bundle anew. */
  async end() {
    await this.#worker?.terminate();
    this.#worker = undefined;
  }
}
