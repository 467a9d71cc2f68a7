// What a torture run found, as Markdown: what was tried, how often, what was left.

const row = (cells) => `| ${cells.join(' | ')} |`;
const grid = (head, rows) => [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');

/** What went wrong with a try, sorted by kind. */
const COLUMNS = [
  ['processes left', /^(processes left|left by itself)/],
  ['files left', /^files left/],
  ['links left', /^links left/],
  ['`ls` untrue', /^ls/],
  ['hung', / hung$/],
  ['next `up` failed', /^up again/],
];

function count(tries) {
  const of = (pattern) => tries.filter(({ problems }) => problems.some((one) => pattern.test(one))).length;
  const known = ({ problems }) => problems.every((one) => COLUMNS.some(([, pattern]) => pattern.test(one)));
  return [...COLUMNS.map(([, pattern]) => of(pattern)), tries.filter((one) => !known(one)).length];
}

function by(list, key) {
  const groups = new Map();
  for (const item of list) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
}

export function table({ seed, labs, results, before, after }) {
  const tried = [...by(results, ({ blow, user, kernel }) => [blow, user, kernel].join('\t'))].sort(
    ([a], [b]) => (a < b ? -1 : 1),
  );
  const struck = by(
    results.filter(({ blow }) => blow.startsWith('kill') || blow === 'stopped'),
    ({ blow, what }) => `${blow}\t${what}`,
  );
  const signals = [
    ...by(
      results.filter(({ blow }) => blow.startsWith('kill') || blow === 'stopped'),
      ({ what }) => what,
    ),
  ].sort((a, b) => b[1].length - a[1].length);
  const times = (blow, what) => struck.get(`${blow}\t${what}`)?.length ?? 0;
  const whole = ['processes', 'namespaces', 'mounts', 'links', 'locks', 'cgroups', 'files'].map((what) => {
    const size = (state) => (Array.isArray(state[what]) ? state[what].length : state[what]);
    return [what, size(before), size(after)];
  });
  return [
    `${results.length} tries, seed ${seed}, ${labs} labs at once, Linux on both kernels:`,
    '',
    grid(
      ['what happens', 'user', 'kernel', 'tries', ...COLUMNS.map(([name]) => name), 'else'],
      [
        ...tried.map(([key, list]) => [...key.split('\t'), list.length, ...count(list)]),
        ['**all**', '', '', results.length, ...count(results)],
      ],
    ),
    '',
    'Struck, by kind of process:',
    '',
    grid(
      ['process', 'kill -9', 'kill -9 in the guest', 'stopped'],
      signals.map(([what]) => [
        what,
        times('kill -9', what),
        times('kill -9 in the guest', what),
        times('stopped', what),
      ]),
    ),
    '',
    'The machine before the first try and after the last:',
    '',
    grid(['', 'before', 'after'], whole),
    '',
  ].join('\n');
}
