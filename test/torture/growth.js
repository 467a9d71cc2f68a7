// A lab that goes up and down many times: what grows with it. By the command line, where each command is a process of its own; and by the
// library, where one process makes and ends them all.
import { readdirSync } from 'node:fs';
import { Lane } from './lane.js';
import { BASE, cgroups, files, mounts, namespaces, processes, slabs } from './world.js';

const row = (cells) => `| ${cells.join(' | ')} |`;

function measure(lane) {
  globalThis.gc?.();
  return {
    'resident memory of this process, MiB': Math.round(process.memoryUsage.rss() / 2 ** 20),
    'memory in use by this process, MiB': Math.round(process.memoryUsage().heapUsed / 2 ** 20),
    'open files of this process': readdirSync('/proc/self/fd').length,
    processes: processes().length,
    namespaces: namespaces().size,
    mounts: mounts().length,
    'control groups': cgroups(),
    'files in the state folder, /tmp, /run and /dev/shm': files([lane.state, '/tmp', '/run', '/dev/shm'])
      .length,
    ...Object.fromEntries(
      Object.entries(slabs()).map(([name, active]) => [`kernel objects: ${name} (whole machine)`, active]),
    ),
  };
}

export async function growth(times, isRoot) {
  const lane = new Lane(0, isRoot ? 'root' : 'plain');
  Object.assign(process.env, lane.environment);
  const { Lab } = await import(`${BASE}/lblab/dist/index.js`);
  const problems = [];
  const byCommand = async () => {
    for (const args of [
      ['up', 'l7'],
      ['down', 'l7'],
    ]) {
      const end = await lane.run(args);
      if (end.code !== 0) problems.push(`${args.join(' ')}: ${end.errors}`);
    }
  };
  const byLibrary = async () => {
    const lab = await Lab.up('l7');
    await lab.down();
  };
  // Caches fill first.
  for (let i = 0; i < 10; i++) {
    await byCommand();
    await byLibrary();
  }
  const samples = [{ after: 0, seen: measure(lane) }];
  for (let i = 1; i <= times; i++) {
    await (i % 2 === 0 ? byCommand : byLibrary)();
    if (i % Math.ceil(times / 4) === 0 || i === times) {
      samples.push({ after: i, seen: measure(lane) });
      console.error(`${i} ups and downs`);
    }
  }
  const heads = samples.map(({ after }) => `after ${after}`);
  const text = [
    `${times} ups and downs of l7, half by the command line and half by one process with the library:`,
    '',
    row(['', ...heads]),
    row(['---', ...heads.map(() => '---')]),
    ...Object.keys(samples[0].seen).map((what) => row([what, ...samples.map(({ seen }) => seen[what])])),
    '',
  ].join('\n');
  console.log(text);
  for (const problem of problems) console.error(problem);
  const [first, last] = [samples[0].seen, samples.at(-1).seen];
  const grown = Object.keys(first).filter((what) => !/memory|machine/.test(what) && last[what] > first[what]);
  for (const what of grown) console.error(`${what} grew from ${first[what]} to ${last[what]}`);
  return problems.length === 0 && grown.length === 0 ? 0 : 1;
}
