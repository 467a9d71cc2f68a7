// Reads a round's evidence from a folder: pcaps, tcpdump's words, the clients' logs, the backends' access logs, tables. The same layout in
// a lab's folder, in `captures/LAB`, and where an exported script ran.
import { constants, readSync } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LabError } from './lab-error.ts';
import { Outlet, type Owner } from './outlet.ts';
import { ForeignFileError, notPlain, openedPath, readPlain, withPlain } from './plain-file.ts';
import { readCurlRecord, readFaults, readSaved, type CurlRecord } from './saved.ts';
import { NotACaptureError, readCapture, type Capture } from '../pcap/index.ts';
import type { Topology } from '../topology/types.ts';
import type { CapturedPoint, Evidence, RequestRecord } from '../verify/types.ts';

/** Bytes at the start of an answer that may name its backend. */
const NAME_BYTES = 64;

/** The faults of a round, in its folder. */
export const FAULTS_FILE = 'faults.json';

/** Where a log stood when the round began, by path relative to the folder. */
export type Offsets = ReadonlyMap<string, number>;

/** What `read` gives; nothing where the file cannot be read. What is no plain file is refused: it is not what lblab left. */
function unlessAbsent<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof LabError) throw error;
    return undefined;
  }
}

/** A file's text; nothing where there is none. @throws LabError for what is no plain file */
export const readText = (path: string) => unlessAbsent(() => readPlain(path).toString('utf8'));

function firstBytes(path: string): string {
  const bytes = Buffer.alloc(NAME_BYTES);
  const length = unlessAbsent(() => withPlain(path, (file) => readSync(file, bytes, 0, NAME_BYTES, 0)));
  return bytes.toString('latin1', 0, length ?? 0);
}

/** Lines of a log that are kept: several for each of the most requests that a client can be told to send. */
const MOST_LINES = 4_000_000;

function addTo<T>(kept: T[], each: T, path: string): void {
  if (kept.push(each) > MOST_LINES)
    throw new LabError(`${path} has too many lines: at most ${MOST_LINES} are read`);
}

/** Lines, one after the other: as an array, a file of newlines alone would take many times its size. */
function* linesOf(text: string): Generator<string> {
  let from = 0;
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
    yield text.slice(from, end);
    from = end + 1;
  }
  if (from < text.length) yield text.slice(from);
}

/** A client's records. A last line that its curl did not finish is none. */
function curlRecords(dir: string, client: string): CurlRecord[] {
  const path = join(dir, `requests/${client}.jsonl`);
  const text = readText(path) ?? '';
  const records: CurlRecord[] = [];
  for (const line of linesOf(text.slice(0, text.lastIndexOf('\n') + 1)))
    addTo(records, readCurlRecord(line, `${path}:${records.length + 1}`), path);
  return records;
}

/** A log from elsewhere may name any file of this machine's. */
const ANSWER = /^requests\/[\w.-]+\/\d+$/;

function clientLog(dir: string, client: string, nodes: ReadonlySet<string>): RequestRecord[] {
  return curlRecords(dir, client).map((record, index): RequestRecord => {
    const file = record.filename_effective ?? '';
    const name =
      record.lblab_backend ?? (ANSWER.test(file) ? firstBytes(join(dir, file)).split('\n')[0]!.trim() : '');
    return {
      client,
      number: record.lblab_number ?? Number(/\/(\d+)$/.exec(file)?.[1] ?? index + 1),
      localPort: Math.max(0, record.local_port),
      status: record.http_code,
      seconds: record.time_total,
      ...(nodes.has(name) && record.http_code > 0 && { backend: name }),
      ...(record.exitcode !== 0 && { error: record.errormsg ?? `curl exit code ${record.exitcode}` }),
      ...(record.lblab_started !== undefined && { began: record.lblab_started }),
      ...(record.lblab_late !== undefined && { late: record.lblab_late }),
      ...(record.remote_ip && record.lblab_started !== undefined && { address: record.remote_ip }),
    };
  });
}

/** The clients' logs of a round, in the order of the requests; nothing when there is none. */
export async function readRequests(dir: string, topology: Topology): Promise<RequestRecord[] | undefined> {
  const names = new Set(topology.nodes.map((node) => node.name));
  const found = (await readdir(join(dir, 'requests')).catch(() => [])).filter((name) =>
    name.endsWith('.jsonl'),
  );
  if (found.length === 0) return undefined;
  return topology.nodes
    .filter((node) => found.includes(`${node.name}.jsonl`))
    .flatMap((node) => clientLog(dir, node.name, names))
    .sort((a, b) => a.client.localeCompare(b.client) || a.number - b.number);
}

export interface TcpdumpCounts {
  readonly captured: number;
  readonly received: number;
  readonly dropped: number;
}

/** tcpdump's accounts of itself, in order, from what it wrote to standard error: one at each SIGUSR1 and one at its end. */
function accountsIn(log: string): TcpdumpCounts[] {
  const all = (pattern: RegExp) => [...log.matchAll(pattern)].map((match) => Number(match[1]));
  const captured = all(/(\d+) packets? captured/g);
  const received = all(/(\d+) packets? received by filter/g);
  const dropped = all(/(\d+) packets? dropped by kernel/g);
  return dropped.flatMap((count, index) =>
    captured[index] === undefined || received[index] === undefined
      ? []
      : [{ captured: captured[index], received: received[index], dropped: count }],
  );
}

/** tcpdump's last account of itself. */
export function tcpdumpCounts(log: string): TcpdumpCounts | undefined {
  return accountsIn(log).at(-1);
}

/** So many times the same account: nothing is on its way any more. */
const SETTLED = 5;

/**
 * Whether all that matters was written, by accounts of which the last one is tcpdump's end: what comes between the last one before that and
 * the end is after the traffic. A difference that stays is of packets that came before the filter was set; the kernel has counted them.
 */
function isWritten(accounts: readonly TcpdumpCounts[]): boolean {
  const [before, last] = accounts.slice(-2);
  if (last === undefined || before === undefined) return last === undefined || last.captured >= last.received;
  if (last.captured >= last.received || before.captured >= before.received) return true;
  const settled = accounts.slice(-SETTLED - 1, -1);
  return (
    settled.length === SETTLED &&
    settled.every(({ captured, received }) => captured === before.captured && received === before.received)
  );
}

/** Why a capture cannot be relied on, when it cannot: by tcpdump's words and by the file. */
export function incompleteness(log: string | undefined, truncated: string | undefined): string | undefined {
  if (truncated !== undefined) return `the file is cut: ${truncated}`;
  if (log === undefined) return undefined;
  const accounts = accountsIn(log);
  const counts = accounts.at(-1);
  if (counts === undefined) return 'tcpdump did not end in order';
  if (counts.dropped > 0) return `the kernel dropped ${counts.dropped} packets`;
  if (!isWritten(accounts)) return `${counts.received - counts.captured} packets were not written`;
  return undefined;
}

/** Opening a pipe would hold up this process even at its end, as a thread would wait in it. */
async function readOpened(path: string): Promise<Capture> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if (!(await file.stat()).isFile()) throw notPlain(path);
  return await readCapture(openedPath(file), { path });
}

async function readPoint(
  dir: string,
  point: Topology['captures'][number],
): Promise<CapturedPoint | undefined> {
  const path = join(dir, `${point.name}.pcap`);
  const capture = await readOpened(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    if (error instanceof NotACaptureError)
      throw new ForeignFileError(`${path}: not a capture: ${error.message}`);
    if (error instanceof LabError) throw error;
    if (error.code !== undefined) throw new LabError(`${path}: ${error.message}`);
    throw error;
  });
  if (capture === undefined) return undefined;
  const log = readText(join(dir, `${point.name}.log`));
  const counts = log === undefined ? undefined : tcpdumpCounts(log);
  const incomplete = incompleteness(log, capture.truncated);
  return {
    name: point.name,
    node: point.node,
    interface: point.interface,
    path,
    capture,
    ...(counts && { dropped: counts.dropped }),
    ...(incomplete !== undefined && { incomplete }),
  };
}

function readLog(path: string, from: number): string[] | undefined {
  const text = unlessAbsent(() => readPlain(path))
    ?.subarray(from)
    .toString('latin1');
  if (text === undefined) return undefined;
  const lines: string[] = [];
  for (const line of linesOf(text)) if (line !== '') addTo(lines, line, path);
  return lines;
}

/** Paths of the access logs that lblab's own web servers write, by node. */
export function accessLogPaths(topology: Topology): Map<string, string> {
  return new Map(
    topology.nodes
      .filter((node) => node.httpd !== undefined)
      .map((node) => [node.name, `nodes/${node.name}/access.log`]),
  );
}

/** Reads all evidence in a folder. Absent files are absent evidence. Throws LabError (exit code 2) for what cannot be read. */
export async function readEvidence(
  dir: string,
  topology: Topology,
  offsets: Offsets = new Map(),
): Promise<Evidence> {
  const tableNames = await readdir(join(dir, 'tables')).catch(() => []);
  const [points, requests] = await Promise.all([
    Promise.all(topology.captures.map(async (point) => readPoint(dir, point))),
    readRequests(dir, topology),
  ]);
  const faults = readText(join(dir, FAULTS_FILE));
  const logs = [...accessLogPaths(topology)].map(
    ([node, path]) => [node, readLog(join(dir, path), offsets.get(path) ?? 0)] as const,
  );
  const tables = tableNames.map(
    (name) => [name.replace(/\.txt$/, ''), readText(join(dir, 'tables', name)) ?? ''] as const,
  );
  const accessLogs = new Map(logs.filter((entry): entry is [string, string[]] => entry[1] !== undefined));
  return {
    topology,
    captures: new Map(points.filter((point) => point !== undefined).map((point) => [point.name, point])),
    ...(requests && { requests }),
    ...(accessLogs.size > 0 && { accessLogs }),
    ...(tables.length > 0 && { tables: new Map(tables) }),
    ...(faults !== undefined && { faults: readFaults(faults, join(dir, FAULTS_FILE)) }),
  };
}

/** The topology that saved evidence was made with; nothing where there is none. */
export async function savedTopology(dir: string): Promise<Topology | undefined> {
  const path = join(dir, 'topology.json');
  const text = readText(path);
  return text === undefined ? undefined : Promise.resolve(readSaved(text, path));
}

/** Copies a round's evidence out of a lab's folder, so that it can be read and judged again when the lab has gone. */
export async function saveEvidence(
  from: string,
  to: string,
  evidence: Evidence,
  owner?: Owner,
): Promise<void> {
  const outlet = await Outlet.open(to, owner);
  try {
    await saveInto(outlet, from, await savedTopology(to), evidence);
  } finally {
    await outlet.close();
  }
}

/** `earlier` is what the folder's files are of. */
async function saveInto(
  outlet: Outlet,
  from: string,
  earlier: Topology | undefined,
  evidence: Evidence,
): Promise<void> {
  const { topology } = evidence;
  const write = async (path: string, content: string) => outlet.write(path, content);
  // Only what an earlier round of ours left is replaced: the folder may be the user's own.
  if (earlier !== undefined) {
    const pcaps = earlier.captures.flatMap((point) => [`${point.name}.pcap`, `${point.name}.log`]);
    await outlet.remove('requests', 'tables', 'nodes', FAULTS_FILE, ...pcaps);
  }
  const backendOf = new Map(
    evidence.requests?.map((request) => [`${request.client}/${request.number}`, request.backend]),
  );
  await Promise.all([
    ...[...evidence.captures.keys()].flatMap((name) => [
      outlet.copy(join(from, `${name}.pcap`), `${name}.pcap`),
      outlet.copy(join(from, `${name}.log`), `${name}.log`),
    ]),
    ...topology.nodes
      .filter((node) => evidence.requests?.some((request) => request.client === node.name) === true)
      .map(async (node) => {
        const named = curlRecords(from, node.name).map((record) => {
          const number = record.lblab_number ?? (record.filename_effective ?? '').replace(/^.*\//, '');
          const backend = backendOf.get(`${node.name}/${number}`);
          return (
            JSON.stringify(backend === undefined ? record : { ...record, lblab_backend: backend }) + '\n'
          );
        });
        return write(`requests/${node.name}.jsonl`, named.join(''));
      }),
    ...[...(evidence.accessLogs ?? [])].map(async ([node, lines]) =>
      write(`nodes/${node}/access.log`, lines.map((line) => line + '\n').join('')),
    ),
    ...[...(evidence.tables ?? [])].map(async ([name, text]) => write(`tables/${name}.txt`, text)),
    ...(evidence.faults === undefined
      ? []
      : [write(FAULTS_FILE, `${JSON.stringify(evidence.faults, null, 1)}\n`)]),
    write('topology.json', JSON.stringify(topology, null, 1) + '\n'),
  ]);
}
