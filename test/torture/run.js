// Runs labs and does to them what happens to programs on real machines: `npm run torture`. Prints what was tried, how often, and what was
// left. See docs/torture.md.
//
//   --seed N       the same tries again (which process is there at a moment is chance all the same)
//   --times N      so many tries (default 40)
//   --minutes M    no new try after so long
//   --labs N       so many at once (default 3)
//   --only WHAT    tries whose name has this in it: "kill", "stopped", "uml", "plain", "full disk", ...
//   --ups N        no blows: one lab goes up and down so often, and what grows is measured
//   --write FILE   the table, as a file
import { parseArgs } from 'node:util';
import { growth } from './growth.js';
import { Lane } from './lane.js';
import { table } from './table.js';
import { BLOWS, KERNELS, pick } from './tries.js';
import { cgroups, enterWorld, files, links, locks, mounts, namespaces, processes } from './world.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    times: { type: 'string', default: '40' },
    minutes: { type: 'string', default: '600' },
    labs: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    ups: { type: 'string' },
    write: { type: 'string' },
  },
});

/** Numbers in [0, 1) from a seed (mulberry32). */
function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const { isRoot } = enterWorld({ write: values.write, growing: values.ups !== undefined });
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
const random = randomFrom(seed);

/** What can be tried: a blow, as a user, on a kernel. */
const kinds = Object.keys(BLOWS)
  .flatMap((blow) =>
    (isRoot ? ['root', 'plain'] : ['plain']).flatMap((user) =>
      (KERNELS[blow] ?? ['host', 'uml']).map((kernel) => ({ blow, user, kernel })),
    ),
  )
  .filter(({ blow, user, kernel }) =>
    values.only.split(',').every((word) => `${blow} ${user} ${kernel}`.includes(word)),
  );

const state = () => ({
  processes: processes().map(({ kind }) => kind),
  namespaces: namespaces().size,
  mounts: mounts().length,
  links: links(),
  locks: locks().length,
  cgroups: cgroups(),
  // libfaketime keeps its clock there, and leaves it when the program is killed.
  files: files(['/tmp', '/run', '/dev/shm']).filter((file) => !file.includes('faketime')),
});

async function torture() {
  const deadline = performance.now() + Number(values.minutes) * 60_000;
  const times = Number(values.times);
  // Blows that kill are most of what is tried: the moments differ.
  const weighted = kinds.flatMap((kind) =>
    Array(kind.blow.startsWith('kill -9') ? 4 : kind.blow === 'stopped' ? 3 : 1).fill(kind),
  );
  const plan = Array.from({ length: times }, () => ({
    ...pick(weighted, random),
    seed: Math.floor(random() * 2 ** 32),
  }));
  console.error(`seed ${seed}, ${times} tries, ${values.labs} at once`);
  const before = state();
  const results = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: Number(values.labs) }, async (_, lane) => {
      const lanes = new Map();
      while (next < plan.length && performance.now() < deadline) {
        const index = next++;
        const { blow, user, kernel, seed: own } = plan[index];
        if (!lanes.has(user)) lanes.set(user, new Lane(lane * 2 + (user === 'root' ? 0 : 1), user));
        const began = performance.now();
        const result = await BLOWS[blow](lanes.get(user), kernel, randomFrom(own));
        const seconds = ((performance.now() - began) / 1000).toFixed(1);
        const where = [result.scenario, result.topology].filter(Boolean).join(' ');
        console.error(`${index + 1} ${blow}, ${user}, ${kernel}, ${where}: ${result.what}, ${seconds} s`);
        for (const problem of result.problems) console.error(`    ${problem}`);
        results.push({ blow, user, kernel, ...result });
      }
    }),
  );
  const after = state();
  const text = table({ seed, labs: values.labs, results, before, after });
  console.log(text);
  for (const file of after.files) if (!before.files.includes(file)) console.error(`left: ${file}`);
  const clean = JSON.stringify(before) === JSON.stringify(after);
  process.exitCode = clean && results.every(({ problems }) => problems.length === 0) ? 0 : 1;
}

if (values.ups === undefined) await torture();
else process.exitCode = await growth(Number(values.ups), isRoot);
