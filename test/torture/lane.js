// A lane: one user with a state folder, a home and a temporary folder of its own, who runs commands of lblab. Lanes run side by side.
import { spawn, spawnSync } from 'node:child_process';
import { chownSync, readlinkSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { BASE, files, fresh, LBLAB, PLAIN, processesOf } from './world.js';

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Seconds after which a command hangs: steps are limited to 10, and what is stopped to 10 more. */
const HANG = 90;

export class Lane {
  constructor(number, user) {
    this.number = number;
    this.user = user;
    this.folder = fresh(join(BASE, `lane${number}`));
    this.state = fresh(join(this.folder, 'state'), 0o700);
    this.home = fresh(join(this.folder, 'home'));
    this.temporary = fresh(join(this.folder, 'tmp'));
    this.drops = user === 'plain' && process.getuid() === 0;
    if (this.drops)
      for (const path of [this.folder, this.state, this.home, this.temporary]) chownSync(path, PLAIN, PLAIN);
    this.environment = {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: this.home,
      TMPDIR: this.temporary,
      LBLAB_STATE_DIR: this.state,
      NO_COLOR: '1',
    };
  }

  argv(args, settings = []) {
    const drop = this.drops ? [`--reuid=${PLAIN}`, `--regid=${PLAIN}`, '--clear-groups'] : [];
    // The harness of a plain user has capabilities in its own world, to mount things there.
    const prefix = ['setpriv', ...drop, '--inh-caps=-all', '--ambient-caps=-all', '--'];
    return [
      ...(this.user === 'plain' ? prefix : []),
      'env',
      ...settings,
      process.execPath,
      LBLAB,
      '--timeout',
      '10s',
      ...args,
    ];
  }

  /** Starts a command. `ended` tells its exit code, or that it hung. */
  start(args, more = {}) {
    // A preloaded library is the command's own, not setpriv's.
    const preloaded = Object.entries(more.preload ?? {}).map(([name, value]) => `${name}=${value}`);
    const [program, ...rest] = this.argv(args, preloaded);
    const child = spawn(program, rest, {
      cwd: more.cwd ?? this.home,
      env: this.environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let errors = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (errors += chunk));
    const ended = new Promise((resolve) => {
      const timer = setTimeout(() => {
        resolve({ hung: true, output, errors });
        child.kill('SIGKILL');
      }, HANG * 1000);
      // What it started may hold its pipes: the command's own end counts.
      child.once('exit', (code, signal) => {
        clearTimeout(timer);
        setTimeout(() => resolve({ hung: false, code, signal, output, errors }), 5);
      });
    });
    return { child, ended };
  }

  async run(args, more) {
    return this.start(args, more).ended;
  }

  processes() {
    return processesOf(this.state);
  }

  /** Waits until none of this lane's processes is there; returns those that stayed. */
  async settled(seconds) {
    const deadline = performance.now() + seconds * 1000;
    for (;;) {
      const left = this.processes();
      if (left.length === 0 || performance.now() > deadline) return left;
      await sleep(20);
    }
  }

  /** Links under /run/netns that lead, or led, into labs of a name. */
  links(lab) {
    return readdirSync('/run/netns')
      .filter((name) => name.startsWith(`lblab-${lab}-`))
      .map((name) => `/run/netns/${name} -> ${readlinkSync(join('/run/netns', name))}`);
  }

  /** Files that should not be there when no lab is up. */
  leftFiles() {
    return files([this.state, this.temporary], [join(this.state, 'labs')]).concat(
      files([join(this.state, 'labs')]),
    );
  }

  /** Ends what hangs or is left, so that the next try begins clean. */
  async clean() {
    for (const { pid } of this.processes()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has just ended.
      }
    }
    await this.settled(5);
    for (const name of readdirSync(this.state)) spawnSync('rm', ['-rf', join(this.state, name)]);
    for (const name of readdirSync(this.temporary)) spawnSync('rm', ['-rf', join(this.temporary, name)]);
  }
}
