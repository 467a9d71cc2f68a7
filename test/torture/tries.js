// One try: a command runs, something happens to it at a random moment, and afterwards everything has to be as if it had never been.
import { spawnSync } from 'node:child_process';
import { chmodSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PLAIN } from './world.js';
import { sleep } from './lane.js';

/** Topologies by kernel; those of `uml` want IPVS, which a kernel may lack and a plain user never gets. */
const TOPOLOGIES = { host: ['l7', 'dnsrr'], uml: ['nat', 'dsr', 'l7'] };
/** Seconds by kernel that a lab takes from nothing to requests, at most: the moment of a blow lies within. */
const SPAN = { host: 1.8, uml: 6 };
const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1';

/** What happens, by name: how a try goes from a lane, its kernel and a random number in [0, 1). */
export const BLOWS = {
  'kill -9': (...args) => strike('SIGKILL', ...args),
  stopped: (...args) => strike('SIGSTOP', ...args),
  'kill -9 in the guest': strikeInside,
  'full disk': fullDisk,
  'read-only home': readOnlyHome,
  'clock jump': clockJump,
  'state removed': stateRemoved,
};

/** Kernels that a blow is for. */
export const KERNELS = {
  'kill -9 in the guest': ['uml'],
};

async function strike(signal, lane, kernel, random) {
  const topology = pick(TOPOLOGIES[kernel], random);
  const name = `t${lane.number}`;
  const scenario = pick(['run', 'up', 'capture', 'request', 'idle', 'down'], random);
  let going;
  let span = SPAN[kernel];
  if (scenario === 'run') going = lane.start(['run', topology, '--kernel', kernel, '-n', '4']);
  else if (scenario === 'up') going = lane.start(['up', topology, '--name', name, '--kernel', kernel]);
  else {
    const up = await lane.run(['up', topology, '--name', name, '--kernel', kernel]);
    if (up.code !== 0) return { what: 'up', problems: [`up: ${said(up)}`], topology };
    span = 0.8;
    if (scenario === 'capture')
      going = lane.start(['capture', name, '-n', '4', '-o', join(lane.home, 'out')]);
    if (scenario === 'request') going = lane.start(['request', name, '--rate', '50/s', '--for', '1s']);
    if (scenario === 'down') going = lane.start(['down', name]);
  }
  // A lab's first moments are many in little time.
  if (['run', 'up'].includes(scenario) && random() < 0.3) {
    const deadline = performance.now() + span * 1000;
    while (!lane.processes().some(({ kind }) => kind !== 'command') && performance.now() < deadline)
      await sleep(0);
    await sleep(random() * 20);
  } else await sleep(random() * span * 1000 * (scenario === 'down' ? 0.3 : 1));
  const there = lane.processes();
  // Kinds first, so that what there are many of is not all that is met.
  const kinds = [...new Set(there.map(({ kind }) => kind))];
  const kind = pick(kinds, random);
  const victim =
    kind === undefined
      ? undefined
      : pick(
          there.filter((one) => one.kind === kind),
          random,
        );
  if (victim !== undefined) {
    try {
      process.kill(victim.pid, signal);
    } catch {
      // It has just ended.
    }
  }
  const problems = [];
  if (going !== undefined) {
    // A command that is itself stopped is ended by its user.
    if (signal === 'SIGSTOP' && victim?.pid === going.child.pid) {
      await sleep(200);
      going.child.kill('SIGKILL');
    }
    const end = await going.ended;
    if (end.hung) problems.push(`${scenario} hung`);
    if (/defect of lblab/.test(end.errors)) problems.push(`${scenario}: ${said(end)}`);
    if (end.code === 70) problems.push(`${scenario}: exit code 70`);
  }
  problems.push(...(await aftermath(lane, name, topology, kernel)));
  return { what: victim?.kind ?? 'nothing there', scenario, topology, problems };
}

/** A process of the guest's own, which the machine does not see. */
async function strikeInside(lane, kernel, random) {
  const topology = pick(TOPOLOGIES.uml, random);
  const name = `t${lane.number}`;
  const up = await lane.run(['up', topology, '--name', name, '--kernel', 'uml']);
  if (up.code !== 0) return { what: 'up', topology, problems: [`up: ${said(up)}`] };
  const going = lane.start(['capture', name, '-n', '4', '-o', join(lane.home, 'out')]);
  await sleep(random() * 2500);
  const script = `set --; for f in /proc/[0-9]*; do p=\${f#/proc/}; [ -e $f/exe ] && [ $p != $$ ] && [ $p != 1 ] && set -- "$@" $p; done
shift $(( ${Math.floor(random() * 1000)} % $# )); cat /proc/$1/comm; kill -9 $1`;
  const struck = await lane.run(['exec', '-l', name, 'be1', '--', 'sh', '-c', script]);
  const problems = [];
  const end = await going.ended;
  if (end.hung) problems.push('capture hung');
  if (end.code === 70) problems.push(`capture: ${said(end)}`);
  problems.push(...(await aftermath(lane, name, topology, 'uml')));
  if (struck.output === '') console.error(said(struck));
  return { what: struck.output.trim().split('\n')[0] || 'nothing there', topology, problems };
}

/** The state folder on a file system that is too small: from one that holds nothing to one that almost suffices. */
async function fullDisk(lane, kernel, random) {
  const topology = pick(TOPOLOGIES[kernel], random);
  const name = `t${lane.number}`;
  const kilobytes = Math.floor(4 + random() ** 2 * 400);
  const owner = lane.drops ? PLAIN : process.getuid();
  mount('-t', 'tmpfs', '-o', `size=${kilobytes}k,mode=700,uid=${owner},gid=${owner}`, 'none', lane.state);
  const problems = [];
  for (const args of [
    ['up', topology, '--name', name, '--kernel', kernel],
    ['capture', name, '-n', '200', '-o', join(lane.home, 'out')],
    ['run', topology, '--kernel', kernel],
  ]) {
    const end = await lane.run(args);
    if (end.hung) problems.push(`${args[0]} hung`);
    if (end.code === 70 || end.signal) problems.push(`${args[0]} on ${kilobytes} KiB: ${said(end)}`);
    // A capture that is cut short may leave a verdict undecided (4); a lab that was not made cannot be captured in (2).
    else if ([1, 3].includes(end.code) && !/space|full|no lab/i.test(end.errors))
      problems.push(`${args[0]} on ${kilobytes} KiB does not say why: ${said(end)}`);
  }
  mount('-o', 'remount,size=64m', lane.state);
  problems.push(...(await aftermath(lane, name, topology, kernel)));
  spawnSync('umount', [lane.state]);
  return { what: 'state folder', topology, problems };
}

/** Nothing can be written where the command is, nor in its home, nor, now and then, where its state is. */
async function readOnlyHome(lane, kernel, random) {
  const topology = pick(TOPOLOGIES[kernel], random);
  const name = `t${lane.number}`;
  const too = random() < 0.3;
  const problems = [];
  const covered = [lane.home, ...(too ? [lane.state] : [])];
  for (const path of covered) {
    mount('--bind', path, path);
    mount('-o', 'remount,bind,ro', path);
  }
  for (const args of [
    ['run', topology, '--kernel', kernel],
    ['up', topology, '--name', name, '--kernel', kernel],
    ['capture', name, '-n', '4'],
    ['init', 'mine.yaml'],
  ]) {
    const end = await lane.run(args);
    if (end.hung) problems.push(`${args[0]} hung`);
    const fine = args[0] === 'up' && !too;
    if (fine ? end.code !== 0 : ![1, 2, 3].includes(end.code)) problems.push(`${args[0]}: ${said(end)}`);
    else if (!fine && !/read-only|EROFS|no lab/i.test(end.errors))
      problems.push(`${args[0]} does not say why: ${said(end)}`);
  }
  for (const path of covered) spawnSync('umount', [path]);
  problems.push(...(await aftermath(lane, name, topology, kernel)));
  return { what: too ? 'home and state' : 'home', topology, problems };
}

/**
 * The command's clock, and every program's that it starts, jumps a day to and fro while it works: libfaketime, which reads the time of day anew
 * from a file. A guest's clock is set in the guest. A time namespace shifts only clocks that never jump, and the machine's own clock is not ours.
 */
async function clockJump(lane, kernel, random) {
  const topology = pick(TOPOLOGIES[kernel], random);
  const name = `t${lane.number}`;
  const file = join(lane.folder, 'clock');
  const set = (text) => writeFileSync(file, `${text}\n`);
  set('+0');
  chmodSync(file, 0o644);
  const preload = {
    LD_PRELOAD: FAKETIME,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
  const problems = [];
  const inside =
    kernel === 'uml'
      ? [['exec', '-l', name, 'client', '--', 'date', '-s', pick(['+1 day', '-1 day'], random)]]
      : [];
  const going = { on: true };
  const jumping = (async () => {
    while (going.on) {
      await sleep(50 + random() * 300);
      set(pick(['+1d', '-1d', '+0', '+3600s', '-10y'], random));
    }
  })();
  for (const args of [
    ['up', topology, '--name', name, '--kernel', kernel],
    ['ls'],
    ...inside,
    ['status', name],
    ['request', name, '-n', '4'],
    ['capture', name, '-n', '4', '-o', join(lane.home, 'out')],
    ['down', name],
  ]) {
    const end = await lane.run(args, { preload });
    if (end.hung) problems.push(`${args[0]} hung`);
    // A lookup of a client's own may time out when the clock jumps (resolv.conf(5), by the time of day): that is told, with exit code 1.
    const isTold =
      end.code === 1 && topology === 'dnsrr' && / of \d+ answered|requests, \d+ answered/.test(end.output);
    if (end.code !== 0 && !isTold) problems.push(`${args[0]}: ${said(end)}`);
  }
  going.on = false;
  await jumping;
  problems.push(...(await aftermath(lane, name, topology, kernel)));
  return { what: 'command and lab', topology, problems };
}

/** What cleans up after a logout, or empties /tmp, removes all that lblab keeps while labs run. */
async function stateRemoved(lane, kernel, random) {
  const topology = pick(TOPOLOGIES[kernel], random);
  const name = `t${lane.number}`;
  const scenario = pick(['run', 'up', 'capture', 'idle'], random);
  let going;
  if (scenario === 'run') going = lane.start(['run', topology, '--kernel', kernel, '-n', '4']);
  else if (scenario === 'up') going = lane.start(['up', topology, '--name', name, '--kernel', kernel]);
  else {
    const up = await lane.run(['up', topology, '--name', name, '--kernel', kernel]);
    if (up.code !== 0) return { what: 'up', problems: [`up: ${said(up)}`], topology };
    if (scenario === 'capture')
      going = lane.start(['capture', name, '-n', '4', '-o', join(lane.home, 'out')]);
  }
  await sleep(random() * (scenario === 'capture' ? 0.8 : SPAN[kernel]) * 1000);
  for (const each of readdirSync(lane.state))
    rmSync(join(lane.state, each), { recursive: true, force: true });
  const problems = [];
  if (going !== undefined) {
    const end = await going.ended;
    if (end.hung) problems.push(`${scenario} hung`);
    if (end.code === 70) problems.push(`${scenario}: ${said(end)}`);
  }
  problems.push(...(await aftermath(lane, name, topology, kernel)));
  return { what: 'state folder', scenario, topology, problems };
}

/** What has to hold after anything. Returns what does not, in words. */
async function aftermath(lane, name, topology, kernel) {
  const problems = [];
  const run = async (...args) => {
    const end = await lane.run(args);
    if (end.hung) problems.push(`${args[0]} hung`);
    return end;
  };
  // A sandbox without its command ends by itself, at once; a lab that is up stays.
  const listed = await run('ls', '--json');
  let labs = [];
  try {
    ({ labs } = JSON.parse(listed.output));
  } catch {
    problems.push(`ls: ${said(listed)}`);
  }
  const mine = labs.find((lab) => lab.name === name);
  if (mine === undefined || mine.state === 'gone') {
    const stayed = (await lane.settled(4)).filter(({ pid }) => !isStopped(pid));
    if (stayed.length > 0) problems.push(`left by itself: ${kindsOf(stayed)}`);
  }
  if (mine?.state === 'making') problems.push('ls says that a lab is being made, by nobody');
  if (mine?.state === 'up' && !processAlive(mine.pid)) problems.push('ls says that a lab is up that is not');
  const again = await run('up', topology, '--name', name, '--kernel', kernel);
  if (again.code !== 0) problems.push(`up again: ${said(again)}`);
  const down = await run('down', name);
  if (down.code !== 0) problems.push(`down: ${said(down)}`);
  const stayed = await lane.settled(4);
  if (stayed.length > 0) problems.push(`processes left: ${kindsOf(stayed)}`);
  const after = await run('ls');
  if (!after.output.startsWith('no lab is up')) problems.push(`ls afterwards: ${said(after)}`);
  const left = lane.leftFiles();
  if (left.length > 0) problems.push(`files left: ${left.slice(0, 5).join(' ')}`);
  const links = lane.links(name);
  if (links.length > 0) problems.push(`links left: ${links.join(' ')}`);
  if (problems.length > 0) await lane.clean();
  return problems;
}

const kindsOf = (processes) => processes.map(({ kind, pid }) => `${kind} ${pid}`).join(', ');

function processAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function isStopped(pid) {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'latin1' });
  return stdout.startsWith('T');
}

function mount(...args) {
  const { status, stderr } = spawnSync('mount', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`mount ${args.join(' ')}: ${stderr}`);
}

export function pick(list, random) {
  return list[Math.floor(random() * list.length)];
}

const said = ({ code, signal, errors, output }) =>
  `${signal ?? `exit code ${code}`} ${JSON.stringify((errors || output).trim().split('\n').slice(-3).join(' / ').slice(-300))}`;
