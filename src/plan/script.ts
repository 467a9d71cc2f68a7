// A plan as a POSIX shell script that does by itself what lblab would do: the same steps in the same order, one after the other. Pure.
// What lives around the steps (waiting until a service is up, taking everything down) is a handful of functions at its head.
import type { Topology } from '../topology/types.ts';
import { foldersOf, logOf } from './build.ts';
import { netnsOf, switchNetns } from './names.ts';
import { commandLine, word } from './shell.ts';
import type { CommandStep, FileStep, Plan, ServiceStep, Stage, Step } from './types.ts';

const oneLine = (text: string) => text.replace(/[\u0000-\u001f\u007f]+/g, ' ').trim();

/** A here-document's delimiter that is no line of the text. */
function delimiter(text: string): string {
  const lines = new Set(text.split('\n'));
  let number = 0;
  while (lines.has(number === 0 ? 'END' : `END${number}`)) number++;
  return number === 0 ? 'END' : `END${number}`;
}

/** A here-document; its text ends with a line break. */
function heredoc(command: string, text: string, behind = ''): string[] {
  const end = delimiter(text);
  return [`${command} <<'${end}'${behind}`, ...text.slice(0, -1).split('\n'), end];
}

/** A file's content to the byte: here-documents always end with a line break and hold no NUL, so some files are printed. */
function writeLines({ path, content }: Pick<FileStep, 'path' | 'content'>): string[] {
  if (content === '') return [`: >${word(path)}`];
  if (content.endsWith('\n') && !content.includes('\0')) return heredoc(`cat >${word(path)}`, content);
  const format = content
    .replaceAll('\\', String.raw`\\`)
    .replaceAll('%', '%%')
    .replaceAll('\0', String.raw`\000`)
    .replaceAll("'", String.raw`'\''`);
  return [`printf -- '${format}' >${word(path)}`];
}

/** What a step's program is, in its node. */
const run = (step: CommandStep | ServiceStep, lab: string) =>
  commandLine(step, step.node === undefined ? undefined : netnsOf(lab, step.node));

/** Exit codes that are fine: none but 0, a few, or any. */
function tolerance({ exitCodes }: CommandStep): string {
  if (exitCodes === undefined || exitCodes.every((code) => code === 0)) return '';
  if (exitCodes.length > 128) return ' || :';
  return ` || case $? in ${exitCodes.join(' | ')}) ;; *) exit 1 ;; esac`;
}

/** The namespaces' own step, as calls that note what has been made: `ip -batch` does not tell how far it came. */
function namespaceLines(step: CommandStep): string[] | undefined {
  const lines = (step.stdin ?? '').trimEnd().split('\n');
  const names = lines.map((line) => /^netns add (\S+)$/.exec(line)?.[1]);
  if (step.argv.join(' ') !== 'ip -batch -' || names.includes(undefined)) return undefined;
  return names.map((name) => `make_namespace ${name}`);
}

function commandLines(step: CommandStep, lab: string, background: boolean): string[] {
  const namespaces = namespaceLines(step);
  if (namespaces !== undefined) return namespaces;
  const inside = step.cwd === '.' ? run(step, lab) : `(cd ${word(step.cwd)} && ${run(step, lab)})`;
  const whole = `${inside}${step.stdout === undefined ? '' : ` >${word(step.stdout)}`}`;
  if (background) return [`${whole} &`, 'sending="$! $sending" started="$! $started"'];
  if (step.stdin === undefined || step.stdin === '') return [`${whole}${tolerance(step)}`];
  const text = step.stdin.endsWith('\n') ? step.stdin : `${step.stdin}\n`;
  return heredoc(whole, text, tolerance(step));
}

function serviceLines(step: ServiceStep, lab: string): string[] {
  const log = logOf(step);
  const output = step.stdout ?? log;
  const start = `start ${word(output)} ${word(log)} ${word(step.cwd)} ${run(step, lab)}`;
  const ready = `until_ready ${word(step.name)} ${word(log)}`;
  if ('tcp' in step.ready) {
    const port = step.ready.tcp.toString(16).toUpperCase().padStart(4, '0');
    return [start, `${ready} listens ${netnsOf(lab, step.node!)} ${port} # TCP port ${step.ready.tcp}`];
  }
  if ('http' in step.ready) {
    return [start, `${ready} answers ${netnsOf(lab, step.node!)} ${word(step.ready.http)}`];
  }
  if ('stderr' in step.ready) return [start, `${ready} grep -q ${word(step.ready.stderr)} ${word(log)}`];
  return [start];
}

function stepLines(step: Step, lab: string, stage: Stage): string[] {
  if (step.kind === 'file') return [];
  const where = step.node === undefined ? '' : `${step.node}: `;
  const head = `# ${where}${oneLine(step.reason)}`;
  if (step.kind === 'command') return [head, ...commandLines(step, lab, stage.name === 'traffic')];
  if (stage.name !== 'capture') return [head, ...serviceLines(step, lab)];
  const point = step.stdout!.replace(/\.pcap$/, '');
  return [head, ...serviceLines(step, lab), `captures="$captures ${point}:$pid"`];
}

/** What ends a stage: requests are waited for; captures end behind the requests, where there are any. */
function afterStage(stage: Stage, stages: readonly Stage[]): string[] {
  const sends = stages.some((each) => each.name === 'traffic');
  if (stage.name !== (sends ? 'traffic' : 'capture')) return [];
  return [
    ...(sends
      ? [
          '# A request that fails is a finding, kept in the log, and no reason to stop.',
          'for pid in $sending; do wait "$pid" || :; done',
        ]
      : []),
    '',
    '# --- Captures end: each when it has written the last packet that passed',
    'for capture in $captures; do drain "${capture%:*}" "${capture#*:}"; done',
    'for capture in $captures; do kill -s TERM "${capture#*:}"; done',
    'for capture in $captures; do wait "${capture#*:}" || :; done',
  ];
}

const FUNCTIONS = String.raw`say() { printf '%s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

# make_namespace NAME: notes first what clean_up will remove.
make_namespace() {
  namespaces="$1 $namespaces"
  ip netns add "$1" || {
    namespaces=${'$'}{namespaces#"$1 "}
    exit 1
  }
}

# start OUTPUT LOG FOLDER COMMAND...: a program that stays, in the background.
start() {
  output=$1 log=$2 directory=$3
  shift 3
  : >"$output"
  : >"$log"
  (cd "$directory" && exec "$@") >>"$output" 2>>"$log" &
  pid=$! started="$! $started"
}

# is_ours PID: whether it is a child of this script still; the number may be another's by now.
is_ours() { [ "$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$1/status" 2>/dev/null)" = "$$" ]; }

# until_ready NAME LOG TEST...: waits for the program started last, ten seconds at most.
until_ready() {
  name=$1 log=$2
  shift 2
  tries=0
  until "$@"; do
    tries=$((tries + 1))
    is_ours "$pid" || {
      tail -n 8 "$log" >&2
      die "$name has ended; its last words are above, all of them in $log"
    }
    [ "$tries" -lt 200 ] || die "$name is not ready after ten seconds; its words are in $log"
    sleep 0.05
  done
}

# listens NAMESPACE PORT: whether a TCP port, four hexadecimal digits, listens there (proc(5), /proc/net/tcp; state 0A is TCP_LISTEN).
listens() {
  ip netns exec "$1" cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
    grep -Eq ": [0-9A-F]+:$2 [0-9A-F]+:[0-9A-F]{4} 0A "
}

# answers NAMESPACE URL: whether a request is answered there.
answers() { ip netns exec "$1" curl --silent --output /dev/null --max-time 2 -- "$2"; }

# statistics POINT PID: what tcpdump says of itself when asked by SIGUSR1 (tcpdump(1)).
statistics() {
  lines=$(wc -l <"$1.log")
  tries=0
  kill -s USR1 "$2" || return 0
  until tail -n "+$((lines + 1))" "$1.log" | grep -q 'dropped by kernel'; do
    tries=$((tries + 1))
    [ "$tries" -lt 50 ] || return 0
    sleep 0.01
  done
  read -r captured received _ <<NUMBERS
$(tail -n "+$((lines + 1))" "$1.log" | tr -cs 0-9 ' ')
NUMBERS
}

# drain POINT PID: waits until tcpdump has written all that its filter let through, and nothing new has come; three seconds at most.
drain() {
  before=''
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    captured=0 received=0
    statistics "$1" "$2"
    [ "$captured $received" != "$before" ] || [ "$captured" -lt "$received" ] || return 0
    before="$captured $received"
    sleep 0.1
  done
}

# remaining: what this script has started and what runs in the namespaces that it has made.
remaining() {
  for process in $started; do ! is_ours "$process" || echo "$process"; done
  for namespace in $namespaces; do ip netns pids "$namespace" 2>/dev/null; done
}

# clean_up: ends what remains, and removes the namespaces; their cables go with them.
clean_up() {
  status=$?
  set +e
  trap - EXIT
  trap '' HUP INT TERM
  tries=0
  while processes=$(remaining) && [ -n "$processes" ] && [ "$tries" -lt 60 ]; do
    case $tries in 0) signal=TERM ;; 40) signal=KILL ;; *) signal='' ;; esac
    [ -z "$signal" ] || for process in $processes; do kill -s "$signal" "$process" 2>/dev/null; done
    tries=$((tries + 1))
    sleep 0.05
  done
  for namespace in $namespaces; do ip netns del "$namespace"; done
  [ "$status" -eq 0 ] || say "ended with exit code $status; everything is taken down"
  exit "$status"
}`;

/** The script. `given` is what the user called the topology. */
export function planScript(plan: Plan, topology: Topology, given = plan.topology): string {
  const { lab } = plan;
  const stages = plan.stages
    .map((stage) => ({
      ...stage,
      steps: stage.steps.filter((step) => step.part === 'lab'),
    }))
    .filter((stage) => stage.steps.length > 0);
  const steps = stages.flatMap((stage) => stage.steps);
  const programs = [...new Set(steps.flatMap((step) => (step.kind === 'file' ? [] : step.argv[0]!)))];
  const tools = programs.filter((program) => !program.includes('/')).sort();
  const namespaces = [switchNetns(lab), ...topology.nodes.map((node) => netnsOf(lab, node.name))];
  const files = steps.filter((step) => step.kind === 'file');
  const stale = [
    ...topology.captures.flatMap((point) => [`${point.name}.pcap`, `${point.name}.log`]),
    ...topology.nodes
      .filter((node) => node.httpd !== undefined)
      .map((node) => `nodes/${node.name}/access.log`),
  ];
  const clients = [
    ...new Set(stages.find((stage) => stage.name === 'traffic')?.steps.map((step) => step.node!)),
  ];
  const folders = foldersOf(stages).filter((folder) => folder !== '.');
  const name = `${lab}.sh`;
  return [
    '#!/bin/sh',
    `# ${lab}: ${oneLine(topology.title)}`,
    '#',
    `# Made by: lblab plan ${oneLine(word(given))} --format sh`,
    `# Run as root, on Linux: sh ${name} [FOLDER]`,
    '#',
    "# Builds the lab out of network namespaces on this machine's kernel, sends the requests, and leaves captures and logs in FOLDER",
    `# (./lblab-${lab} when none is named). However it ends, it takes down what it has built, and nothing else.`,
    '#',
    "# Names of nodes do not resolve in them: ip-netns(8) looks for a hosts file in /etc/netns, which is the whole machine's.",
    '# Programs that give up root, such as the workers of nginx, must be able to enter FOLDER.',
    'set -eu',
    'unset CDPATH',
    'PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin',
    '',
    'folder=${1:-./lblab-' + lab + '}',
    "namespaces='' started='' sending='' captures=''",
    '',
    FUNCTIONS,
    '',
    '[ "$(id -u)" -eq 0 ] || die "only root can make network namespaces"',
    `for tool in ${tools.map(word).join(' ')}; do`,
    '  command -v "$tool" >/dev/null || die "$tool is missing"',
    'done',
    `for namespace in ${namespaces.join(' ')}; do`,
    '  if [ -e "/run/netns/$namespace" ] || [ -L "/run/netns/$namespace" ]; then',
    '    die "the network namespace $namespace exists; end what made it, such as lblab down ' + lab + '"',
    '  fi',
    'done',
    '',
    'trap clean_up EXIT',
    "trap 'exit 129' HUP",
    "trap 'exit 130' INT",
    "trap 'exit 143' TERM",
    '',
    '# --- Files',
    'mkdir -p -- "$folder"',
    'cd -- "$folder"',
    `mkdir -p ${folders.map(word).join(' ')}`,
    '# What an earlier run left must not be taken for this one.',
    ...(stale.length === 0 ? [] : [`rm -f ${stale.map(word).join(' ')}`]),
    ...clients.map((client) => `rm -f requests/${client}.jsonl requests/${client}/*`),
    ...files.flatMap((file) => [
      `# ${file.node === undefined ? '' : `${file.node}: `}${oneLine(file.reason)}`,
      ...writeLines(file),
    ]),
    ...stages.flatMap((stage) => [
      '',
      `# --- ${stage.title}`,
      ...stage.steps.flatMap((step) => stepLines(step, lab, stage)),
      ...afterStage(stage, stages),
    ]),
    '',
    'say "captures and logs are in $folder"',
    `say ${word(`  lblab verify --topology ${word(given)} --captures`)} "$folder" '        what they prove'`,
    '',
  ].join('\n');
}
