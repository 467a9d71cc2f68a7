// The commands that need no lab: plan, validate, schema, topologies, init, completion; and what is said of a wrong command line.
import { chown, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { place, type Place } from '../support/cli.ts';

let here: Place;
beforeAll(async () => {
  here = await place();
});
afterAll(async () => here.remove());

const run = async (...args: string[]) => here.run(args);
const json = <T>(text: string) => JSON.parse(text) as T;

interface Plan {
  readonly schema: string;
  readonly lab: string;
  readonly stages: readonly {
    name: string;
    steps: readonly { id: string; reason: string; argv?: string[] }[];
  }[];
}

describe('plan', () => {
  it('shows each step with its reason, its exact command, and what it reads', async () => {
    const { stdout, code } = await run('plan', 'l7');
    expect(code).toBe(0);
    expect(stdout).toContain(
      '    # A network namespace for each node, and one for the segments\n    ip -batch -\n      | netns add lblab-l7.segments\n',
    );
    expect(stdout).toContain('    # be1: The web server\n    ip netns exec lblab-l7-be1 apache2 ');
    expect(stdout).toContain('    write nodes/lb/nginx.conf\n      | worker_processes 1;\n');
  });

  it('is data with --format json, the same in every run', async () => {
    const [first, second] = await Promise.all([
      run('plan', 'l7', '--json'),
      run('plan', 'l7', '--format', 'json'),
    ]);
    const plan = json<Plan>(first.stdout);
    expect(plan.schema).toBe('lblab/plan@1');
    expect(plan.stages.map((stage) => stage.name)).toEqual(['wire', 'nodes', 'capture', 'traffic']);
    expect(json(second.stdout)).toEqual(plan);
    const steps = plan.stages.flatMap((stage) => stage.steps);
    expect(new Set(steps.map((step) => step.id)).size).toBe(steps.length);
    expect(steps.filter((step) => step.reason === '')).toEqual([]);
  });

  it('takes another name', async () => {
    const plan = json<Plan>((await run('plan', 'l7', '--name', 'blue', '--json')).stdout);
    expect(plan.lab).toBe('blue');
    expect(JSON.stringify(plan)).not.toContain('lblab-l7');
  });
});

describe('validate', () => {
  it('says that all that ships is right', async () => {
    const shipped = json<{ topologies: { name: string }[] }>((await run('topologies', '--json')).stdout);
    const names = shipped.topologies.map((topology) => topology.name);
    const { stdout, code } = await run('validate', ...names);
    expect(stdout).toBe(names.map((name) => `${name}: ok\n`).join(''));
    expect(code).toBe(0);
  });

  it('tells all that is wrong, with its place, and exits with 2', async () => {
    await writeFile(
      join(here.cwd, 'wrong.yaml'),
      'segments: {front: 192.168.11.0/24}\nnodes:\n  a:\n    rol: client\n    interfaces: {eth0: frond}\n',
    );
    const text = await run('validate', 'wrong.yaml', 'l7');
    expect(text.code).toBe(2);
    expect(text.stdout).toMatch(/^wrong\.yaml:4:5: .*did you mean role\?$/m);
    expect(text.stdout).toMatch(/^wrong\.yaml:5:\d+: .*did you mean front\?$/m);
    expect(text.stdout).toMatch(/^l7: ok$/m);
    const { files, ...rest } = json<{ files: { file: string; ok: boolean; issues: { line: number }[] }[] }>(
      (await run('validate', 'wrong.yaml', 'l7', '--json')).stdout,
    );
    expect(rest).toEqual({ schema: 'lblab/validate@1', ok: false });
    expect(files.map(({ file, ok, issues }) => [file, ok, issues.map(({ line }) => line)])).toEqual([
      ['wrong.yaml', false, [4, 5]],
      ['l7', true, []],
    ]);
  });

  it('says that there is no such file', async () => {
    expect(await run('validate', './none.yaml')).toEqual({
      code: 2,
      stdout: '',
      stderr: './none.yaml: no such file; lblab init writes one to start from\n',
    });
  });
});

it('schema is the JSON Schema that ships with the topologies', async () => {
  const shipped = await readFile(new URL('../../topologies/schema.json', import.meta.url), 'utf8');
  expect(json((await run('schema')).stdout)).toEqual(json(shipped));
});

it('topologies lists what ships with its method and title', async () => {
  const { stdout } = await run('topologies');
  expect(stdout).toMatch(/^NAME +METHOD +TITLE\n(.*\n)*l7 +nginx +L7 load balancing with nginx\n/);
  expect(stdout).toMatch(/^dsr +ipvs-dsr +L4 load balancing by direct server return/m);
});

describe('init', () => {
  it('writes a topology that is right, names it after the file, and never overwrites one', async () => {
    const { code, stdout } = await run('init', 'labs/My first.yaml');
    expect(code).toBe(0);
    expect(stdout).toContain("lblab run 'labs/My first.yaml'");
    const written = await readFile(join(here.cwd, 'labs/My first.yaml'), 'utf8');
    expect(written).toContain('name: my-first\n');
    expect((await run('validate', 'labs/My first.yaml')).code).toBe(0);
    await writeFile(join(here.cwd, 'labs/My first.yaml'), '# mine\n');
    expect(await run('init', 'labs/My first.yaml')).toMatchObject({
      code: 2,
      stderr: 'labs/My first.yaml is there already; it is left as it is: name another file\n',
    });
    expect(await readFile(join(here.cwd, 'labs/My first.yaml'), 'utf8')).toBe('# mine\n');
    // No folder for files, even for root.
    expect(await run('init', '/proc/mine.yaml')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^\/proc\/mine\.yaml cannot be written: /) as string,
    });
  });

  it('writes a topology that runs and proves its claims', async () => {
    expect((await run('init')).code).toBe(0);
    const { stdout, code } = await run('run', './lab.yaml', '--json');
    expect(json(stdout)).toMatchObject({ ok: true, labs: [{ lab: 'lab', ok: true }] });
    expect(code).toBe(0);
  });
});

describe('completion', () => {
  const complete = async (...words: string[]) => {
    const { stdout } = await run('__complete', '--', ...words);
    return stdout.split('\n').slice(0, -1);
  };

  it('knows commands, options, their values and topologies', async () => {
    expect(await complete('st')).toEqual(['status']);
    expect(await complete('')).toContain('capture');
    expect(await complete('')).not.toContain('__complete');
    expect(await complete('plan', '--f')).toEqual(['--format']);
    expect(await complete('plan', '--format', '')).toEqual(['text', 'json', 'sh', 'ascii', 'mermaid', 'dot']);
    expect(await complete('--kernel', 'u')).toEqual(['uml']);
    expect(await complete('up', 'dsr')).toEqual(['dsr', 'dsr-article', 'dsr-persistent', 'dsr-keepalived']);
    expect(await complete('up', './')).toEqual([':files']);
    expect(await complete('completion', '')).toEqual(['bash', 'zsh', 'fish']);
    expect(await complete('nonsense', '')).toEqual([]);
  });

  it('knows the labs that are up, their nodes and interfaces', async () => {
    expect((await run('up', 'l7')).code).toBe(0);
    expect(await complete('status', '')).toEqual(['l7']);
    expect(await complete('exec', '')).toEqual(['be1', 'be2', 'client', 'lb']);
    expect(await complete('exec', '-l', 'other', '')).toEqual([]);
    expect(await complete('exec', '-l', '')).toEqual(['l7']);
    expect(await complete('exec', 'lb', '--', 'ca')).toEqual([':files']);
    expect(await complete('capture', '--at', 'lb:')).toEqual(['lb:eth0', 'lb:eth1']);
    expect((await run('down', 'l7')).code).toBe(0);
  });

  it.each(['bash', 'zsh', 'fish'])('is a script that %s reads', async (shell) => {
    const { stdout } = await run('completion', shell);
    const file = join(here.cwd, `completion.${shell}`);
    await writeFile(file, stdout);
    const found = await promisify(execFile)('sh', ['-c', `command -v ${shell} || :`]);
    // Where the shell is not installed its file can only be looked at.
    if (found.stdout === '') expect(stdout).toContain('lblab __complete');
    else await promisify(execFile)(shell, ['-n', file]);
  });

  it.runIf(process.getuid!() === 0)('takes no names from a state folder of somebody else', async () => {
    const theirs = join(here.cwd, 'theirs');
    await mkdir(join(theirs, 'labs/x'), { recursive: true });
    const record = { name: '$(touch pwned)', pid: 1, pidStarted: '', topology: { nodes: [] } };
    await writeFile(join(theirs, 'labs/x/lab.json'), JSON.stringify(record));
    await chown(theirs, 54321, 54321);
    const answer = await here.run(['__complete', '--', 'down', ''], { env: { LBLAB_STATE_DIR: theirs } });
    expect(answer).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  it('runs nothing of what it offers in bash', async () => {
    const folder = join(here.cwd, 'offers');
    await mkdir(folder);
    await Promise.all(['*', '$(touch pwned)'].map(async (name) => writeFile(join(folder, name), '')));
    const script = [
      'lblab() { printf "%s\\n" "$ANSWER"; }',
      (await run('completion', 'bash')).stdout,
      'COMP_LINE="lblab down " COMP_POINT=11 COMP_WORDS=(lblab down "") COMP_CWORD=2',
      `for ANSWER in '$(touch pwned)' '*' :files ''; do _lblab; printf '<%s>' "\${COMPREPLY[@]}"; echo; done`,
    ];
    const { stdout } = await promisify(execFile)('bash', ['-c', script.join('\n')], { cwd: folder });
    expect(stdout.replace('<*><$(touch pwned)>', '<$(touch pwned)><*>')).toBe(
      '<$(touch pwned)>\n<*>\n<$(touch pwned)><*>\n<>\n',
    );
    expect((await readdir(folder)).sort()).toEqual(['$(touch pwned)', '*']);
  });

  it('completes in bash', async () => {
    await writeFile(join(here.cwd, 'completion.bash'), (await run('completion', 'bash')).stdout);
    const words = here.argv([]).map((word) => `'${word}'`);
    const script = [
      `lblab() { ${words.join(' ')} "$@"; }`,
      'source ./completion.bash',
      'ask() { COMP_LINE=$1 COMP_POINT=${#1}; read -ra COMP_WORDS <<<"$1"; [[ $1 == *" " ]] && COMP_WORDS+=("");',
      '  COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=(); _lblab; echo "${COMPREPLY[*]}"; }',
      'ask "lblab topo"; ask "lblab plan --format "; ask "lblab up dsr"; ask "lblab validate ./completion.b"',
    ];
    const { stdout } = await promisify(execFile)('bash', ['-c', script.join('\n')], {
      cwd: here.cwd,
      env: here.env,
    });
    expect(stdout.split('\n')).toEqual([
      'topologies',
      'text json sh ascii mermaid dot',
      'dsr dsr-article dsr-persistent dsr-keepalived',
      './completion.bash',
      '',
    ]);
  });
});

it('says so when standard output is full', async () => {
  const full = promisify(execFile)('sh', ['-c', '"$0" "$@" > /dev/full', ...here.argv(['topologies'])], {
    env: here.env,
  });
  await expect(full).rejects.toMatchObject({
    code: 3,
    stderr: 'standard output cannot be written to: ENOSPC: no space left on device, write\n',
  });
});

describe('a wrong command line', () => {
  it.each([
    [['dwon'], "error: unknown command 'dwon'\n(Did you mean down?)"],
    [['ls', '--jsno'], "error: unknown option '--jsno'\n(Did you mean --json?)"],
    [['up'], "error: missing required argument 'topology'"],
    [['up', 'l8'], 'no topology "l8"; did you mean l7?'],
    [['capture', '-n', '0'], "argument '0' is invalid. give a whole number from 1 to 1000000"],
    [['request', '-n', '1e3'], "argument '1e3' is invalid. give a whole number from 1 to 1000000"],
    [['--timeout', 'soon', 'ls'], "argument 'soon' is invalid. give a time such as 500ms, 10s or 2m"],
    [
      ['plan', 'l7', '--format', 'yaml'],
      "argument 'yaml' is invalid. Allowed choices are text, json, sh, ascii, mermaid, dot.",
    ],
    [['verify', '--topology', 'l7'], '--topology needs --captures FOLDER: the files to judge'],
    [['verify', '--captures', '.'], '. has no topology.json: say with --topology what its captures are of'],
  ])('%j is answered with what is wrong, and exit code 2', async (args, words) => {
    const { stdout, stderr, code } = await run(...args);
    expect({ stdout, code }).toEqual({ stdout: '', code: 2 });
    expect(stderr).toContain(words);
  });

  it('every command has examples at the head of its help', async () => {
    const { stdout } = await run('--help');
    const names = [...stdout.matchAll(/^ {2}([a-z]+)(?: |\n)/gm)].map((match) => match[1]!);
    const commands = names.filter((name) => name !== 'help' && name !== 'lblab');
    expect(commands.length).toBeGreaterThanOrEqual(18);
    const helps = await Promise.all(commands.map(async (name) => run(name, '--help')));
    for (const [index, help] of helps.entries()) {
      expect(help.stdout).toMatch(new RegExp(`^Examples:\\n {2}.*\\blblab ${commands[index]}\\b`));
      expect(help.code).toBe(0);
    }
  });
});
