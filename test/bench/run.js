// Times lblab against something on the same machine, and prints ratios: `npm run bench [-- PATTERN]`. Nothing here asserts a time.
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const LBLAB = fileURLToPath(new URL('../../bin/lblab.js', import.meta.url));
const WORK = mkdtempSync(join(tmpdir(), 'lblab-bench-'));
chmodSync(WORK, 0o755);
const env = { ...process.env, LBLAB_STATE_DIR: join(WORK, 'state'), NO_COLOR: '1' };
mkdirSync(env.LBLAB_STATE_DIR);
const pattern = new RegExp(process.argv[2] ?? '');

/** Seconds that a command takes: the median of several runs. Throws when it fails. */
function seconds(argv, { times = 5, before, after } = {}) {
  const taken = [];
  for (let i = 0; i < times; i++) {
    before?.();
    const began = process.hrtime.bigint();
    const options = { cwd: WORK, env, encoding: 'utf8', maxBuffer: 2 ** 30 };
    const { status, stderr } = spawnSync(argv[0], argv.slice(1), options);
    taken.push(Number(process.hrtime.bigint() - began) / 1e9);
    after?.();
    if (status !== 0) throw new Error(`${argv.join(' ')}: exit code ${status}\n${stderr}`);
  }
  return taken.sort((a, b) => a - b)[Math.floor(times / 2)];
}

const lblab = (...args) => [process.execPath, LBLAB, ...args];
const down = (lab) => () => {
  const [program, ...args] = lblab('down', lab);
  spawnSync(program, args, { cwd: WORK, env });
};

function report(title, ours, theirs, aim) {
  const ratio = ours / theirs;
  console.log(
    `${title.padEnd(62)} ${ours.toFixed(3)} s  against ${theirs.toFixed(3)} s  ratio ${ratio.toFixed(2)}  difference ${(ours - theirs).toFixed(3)} s  (${aim})`,
  );
}

/** Hundredths of a second of processor time that a process and its ended children have used (proc(5), utime to cstime). */
function ticksOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
}

const benches = {
  version() {
    report(
      'lblab --version / node -e 0',
      seconds(lblab('--version'), { times: 15 }),
      seconds([process.execPath, '-e', '0'], { times: 15 }),
      'aim: ratio 1.5',
    );
  },
  'run-l7'() {
    const script = join(WORK, 'l7.sh');
    const { stdout } = spawnSync(process.execPath, [LBLAB, 'plan', 'l7', '--format', 'sh'], {
      encoding: 'utf8',
      env,
    });
    writeFileSync(script, stdout, { mode: 0o755 });
    const ours = seconds(lblab('run', 'l7', '--json'));
    report(
      'lblab run l7 / by hand (l7.sh)',
      ours,
      seconds([join(HERE, 'l7.sh'), join(WORK, 'hand')]),
      'aim: difference 0.25 s',
    );
    report(
      'lblab run l7 / its own exported script',
      ours,
      seconds([
        'unshare',
        ...(process.getuid() === 0 ? [] : ['-U', '-r']),
        '-n',
        '-m',
        '-p',
        '-f',
        '--kill-child',
        '--mount-proc',
        'sh',
        '-c',
        `mount -t tmpfs run /run && exec sh ${script} ${join(WORK, 'exported')}`,
      ]),
      'for comparison',
    );
  },
  'up-l7'() {
    report(
      'lblab up l7, services answering / mininet, bare network',
      seconds(lblab('up', 'l7'), { after: down('l7') }),
      seconds(
        [
          'unshare',
          ...(process.getuid() === 0 ? [] : ['-U', '-r']),
          '-n',
          '-m',
          '-p',
          '-f',
          '--mount-proc',
          '/usr/bin/python3',
          join(HERE, 'mininet_l7.py'),
        ],
        { times: 3 },
      ),
      'aim: ratio below 1',
    );
  },
  star() {
    for (const count of [10, 50, 200, 500]) {
      const file = join(WORK, `star${count}.yaml`);
      const backends = Array.from(
        { length: count },
        (_, i) => `  be${i + 1}: { role: backend, httpd: none, interfaces: { eth0: back } }`,
      );
      writeFileSync(
        file,
        [
          'name: star',
          'segments: { back: 10.99.0.0/16 }',
          'nodes:',
          '  lb: { role: node, interfaces: { eth0: back } }',
          ...backends,
          '',
        ].join('\n'),
      );
      const times = count > 100 ? 3 : 5;
      report(
        `star of ${count}: lblab up / ip -batch by hand (star.sh)`,
        seconds(lblab('up', file), { times, after: down('star') }),
        seconds([join(HERE, 'star.sh'), String(count)], { times }),
        count === 200 ? 'aim: ratio 1' : 'how cost grows',
      );
      const ending = seconds(lblab('down', 'star'), {
        times,
        before: () => seconds(lblab('up', file), { times: 1 }),
      });
      console.log(`star of ${count}: lblab down`.padEnd(62), `${ending.toFixed(3)} s  (aim at 200: 0.2 s)`);
    }
  },
  'run-nat'() {
    const bare = seconds([join(HERE, 'uml.sh'), join(WORK, 'uml')], { times: 3 });
    report(
      'lblab run nat on a user-mode kernel / its bare power-on-off',
      seconds(lblab('run', 'nat', '--kernel', 'uml', '--json'), { times: 3 }),
      bare,
      'aim: ratio 2.5',
    );
  },
  exec() {
    seconds(lblab('up', 'nat', '--kernel', 'uml'), { times: 1 });
    // The same command timed inside the guest, less what the clock's own reading costs: a shell that runs it twenty times.
    const script =
      'read a b < /proc/uptime; i=0; while [ $i -lt 20 ]; do /bin/true; i=$((i+1)); done; read c d < /proc/uptime; echo $a $c';
    const { stdout } = spawnSync(process.execPath, [LBLAB, 'exec', 'lb', '--', 'sh', '-c', script], {
      cwd: WORK,
      env,
      encoding: 'utf8',
    });
    const [from, to] = stdout.trim().split(' ').map(Number);
    report(
      'lblab exec lb -- true, lab on a user-mode kernel / inside it',
      seconds(lblab('exec', 'lb', '--', 'true')),
      (to - from) / 20,
      'aim: difference 0.2 s',
    );
    down('nat')();
  },
  load() {
    const load = (...args) => {
      const [program, ...rest] = lblab('load', '--json', ...args);
      const { stdout, stderr, status } = spawnSync(program, rest, { cwd: WORK, env, encoding: 'utf8' });
      if (status !== 0)
        throw new Error(`lblab load ${args.join(' ')}: exit code ${status}\n${stdout}${stderr}`);
      return JSON.parse(stdout).loads[0];
    };
    const median = (...args) => [1, 2, 3].map(() => load(...args).requestsPerSecond).sort((a, b) => a - b)[1];
    const [captured, alone] = [median('l7'), median('l7', '--no-captures')];
    console.log(
      'lblab load l7, captured at five points / without captures'.padEnd(62),
      `${captured.toFixed(0)}/s  against ${alone.toFixed(0)}/s  ratio ${(captured / alone).toFixed(2)}`,
    );
    const { requestsPerSecond, milliseconds, wanted } = load('nat', '--kernel', 'uml');
    console.log(
      `lblab load nat on a user-mode kernel, ${wanted} accounted for`.padEnd(62),
      `${requestsPerSecond.toFixed(0)}/s  ${(milliseconds / 1000).toFixed(1)} s  ratio to l7 here ${(requestsPerSecond / captured).toFixed(2)}`,
    );
  },
  flow() {
    const folder = join(WORK, 'captures/flow');
    seconds(lblab('run', 'l7', '-n', '250', '-o', folder, '--json'), { times: 1 });
    const files = ['client', 'eth0', 'eth1', 'be1', 'be2'].map((name) => join(folder, `${name}.pcap`));
    report(
      'lblab flow --all, 10,000 packets of 5 captures / tshark -r each',
      seconds(lblab('flow', folder, '--all')),
      seconds(['sh', '-c', 'for file; do tshark -n -r "$file"; done', 'sh', ...files], { times: 3 }),
      'aim: 0.5 s',
    );
  },
  report() {
    const folder = join(WORK, 'captures/report');
    const page = join(WORK, 'report.html');
    seconds(lblab('run', 'l7', '-n', '100', '-o', folder, '--json'), { times: 1 });
    report(
      'lblab report of 100 requests / lblab --version',
      seconds(lblab('report', folder, '-o', page)),
      seconds(lblab('--version')),
      'aim: 0.5 s',
    );
    console.log(`  the page has ${Math.round(statSync(page).size / 1000)} kB (aim: 2,000)`);
  },
  watch() {
    const [program, ...args] = lblab('up', 'l7', '--name', 'watched');
    spawnSync(program, args, { cwd: WORK, env });
    const socket = join(WORK, 'tmux');
    const tmux = (...words) =>
      spawnSync('tmux', ['-S', socket, ...words], { cwd: WORK, env, encoding: 'utf8' });
    const share = (rate) => {
      // Requests come from another program, so that only the view's own work is counted.
      const load =
        rate > 0 &&
        spawn(process.execPath, [LBLAB, 'request', 'watched', '--rate', `${rate}/s`, '--for', '14s'], {
          cwd: WORK,
          env,
          stdio: 'ignore',
        });
      spawnSync('sleep', ['4']);
      const pid = tmux('list-panes', '-F', '#{pane_pid}').stdout.trim();
      const [before, began] = [ticksOf(pid), process.hrtime.bigint()];
      spawnSync('sleep', ['8']);
      const used = (ticksOf(pid) - before) / 100;
      if (load) load.kill();
      return (used / (Number(process.hrtime.bigint() - began) / 1e9)) * 100;
    };
    tmux('new-session', '-d', '-x', '120', '-y', '40', process.execPath, LBLAB, 'watch', 'watched');
    console.log(`lblab watch, one core's share: idle ${share(0).toFixed(1)} % (aim: 5)`);
    console.log(`  at 1,000 requests a second ${share(1000).toFixed(1)} % (aim: 25)`);
    tmux('kill-server');
    down('watched')();
  },
  'side-by-side'() {
    const each = ['l7', 'nat', 'dsr'].map((name) => seconds(lblab('run', name, '--json'), { times: 3 }));
    report(
      `lblab run l7 nat dsr / the slowest of them, on ${availableParallelism()} cores`,
      seconds(lblab('run', 'l7', 'nat', 'dsr', '--json'), { times: 3 }),
      Math.max(...each),
      'aim: ratio 1.3',
    );
  },
};

try {
  for (const [name, bench] of Object.entries(benches)) if (pattern.test(name)) bench();
} finally {
  const [program, ...args] = lblab('down', '--all');
  spawnSync(program, args, { cwd: WORK, env });
  rmSync(WORK, { recursive: true, force: true });
}
