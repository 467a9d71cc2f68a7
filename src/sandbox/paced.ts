// The program that is a client: sends requests from a node at a steady rate, or one after the other, and logs each with the time at which it
// began. It is its own program (dist/paced.js), reads its orders from a file, and knows nothing of labs. A name in the URL is curl's
// business, one curl a request; where it is to be looked up first, curl is told the address (--resolve).
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { isIP } from 'node:net';
import type { Orders } from '../plan/traffic.ts';

/** One line of the log: the fields of curl's `--write-out %{json}` that are used, and ours. */
interface Line {
  /** curl's exit code, or the one that curl would have for the same (curl(1), EXIT CODES). */
  exitcode: number;
  errormsg: string | null;
  http_code: number;
  local_port: number;
  remote_ip: string;
  /** Seconds. */
  time_total: number;
  /** The first line of the answer. */
  lblab_backend: string;
  /** Seconds since the epoch when the request began, its lookup included. */
  lblab_started: number;
  /** Seconds by which that was later than the rate wants it. */
  lblab_late: number;
  lblab_number: number;
}

type Outcome = Omit<Line, 'lblab_started' | 'lblab_late' | 'lblab_number' | 'time_total'>;

const FAILED: Outcome = {
  exitcode: 0,
  errormsg: null,
  http_code: 0,
  local_port: 0,
  remote_ip: '',
  lblab_backend: '',
};

const UNRESOLVED = 6;
const UNCONNECTED = 7;
const TIMED_OUT = 28;
const BROKEN_OFF = 56;

const orders = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as Orders;
const url = new URL(orders.url);
const host = url.hostname.replace(/^\[|\]$/g, '');
const port = Number(url.port || 80);
/** One connection for all requests; those that come meanwhile wait for it. */
const kept = orders.reuse === true ? new Agent({ keepAlive: true, maxSockets: 1 }) : undefined;
const now = () => performance.timeOrigin + performance.now();
const firstLine = (body: string) => body.slice(0, 64).split('\n')[0]!.trim();

/** The headers of a request, the cookie among them from its request on. */
function headers(number: number): (readonly [name: string, value: string])[] {
  const { cookie } = orders;
  const isPinned = cookie !== undefined && number >= cookie.from;
  return [...orders.headers, ...(isPinned ? ([['Cookie', cookie.value]] as const) : [])];
}

/** A request to an address, by ourselves: a process a request would be too much for a user-mode kernel. */
async function bySocket(number: number): Promise<Outcome> {
  return new Promise((resolve) => {
    let localPort = 0;
    let done = false;
    const end = (outcome: Partial<Outcome>) => {
      if (done) return;
      done = true;
      clearTimeout(timer);
      resolve({ ...FAILED, local_port: localPort, remote_ip: host, ...outcome });
    };
    const asked = httpRequest({
      host,
      port,
      path: url.pathname + url.search,
      agent: kept ?? false,
      setHost: false,
      headers: [
        ['Host', url.host],
        ['User-Agent', 'lblab'],
        ['Accept', '*/*'],
        ['Connection', orders.reuse === true ? 'keep-alive' : 'close'],
        ...headers(number),
      ].flat(),
    });
    const timer = setTimeout(() => {
      end({ exitcode: TIMED_OUT, errormsg: `Timed out after ${orders.timeout} s` });
      asked.destroy();
    }, orders.timeout * 1000);
    asked.on('socket', (socket) => {
      // A connection that is kept is there already.
      if (!socket.connecting) localPort = socket.localPort ?? 0;
      socket.once('connect', () => (localPort = socket.localPort ?? 0));
    });
    asked.on('response', (response) => {
      let body = '';
      response.setEncoding('latin1');
      response.on('data', (chunk: string) => (body = body.length < 64 ? body + chunk : body));
      response.on('end', () => end({ http_code: response.statusCode ?? 0, lblab_backend: firstLine(body) }));
      response.on('error', ({ message }) =>
        end({ exitcode: BROKEN_OFF, errormsg: message, http_code: response.statusCode ?? 0 }),
      );
    });
    asked.on('error', ({ message }) =>
      end({ exitcode: localPort === 0 ? UNCONNECTED : BROKEN_OFF, errormsg: message }),
    );
    asked.end();
  });
}

/** Started before they are wanted, and waiting for their orders: on a busy machine a process takes its time to start, which is not the request's. */
const waiting: ChildProcessWithoutNullStreams[] = [];
const SPARE = 2;

function startCurl(): ChildProcessWithoutNullStreams {
  const argv = ['--disable', '--silent', '--globoff', '--max-time', String(orders.timeout)];
  const child = spawn('curl', [...argv, '--config', '-']);
  // Whoever takes it hears of the error at its end.
  child.on('error', () => {});
  child.stdin.on('error', () => {});
  return child;
}

/** An option of curl's as a line of its configuration (curl(1), --config). */
const option = (name: string, value: string) =>
  `${name} = "${value.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"\n`;

/** A request by a curl of its own, which is told the address or finds it itself. */
async function byCurl(number: number, address?: string): Promise<Outcome> {
  const config = [
    option('header', 'Connection: close'),
    ...headers(number).map(([name, value]) => option('header', `${name}: ${value}`)),
    option('write-out', '%{stderr}%{json}\n'),
    ...(address === undefined
      ? []
      : [option('resolve', `${host}:${port}:${isIP(address) === 6 ? `[${address}]` : address}`)]),
    option('url', orders.url),
  ];
  return new Promise((resolve) => {
    const child = waiting.shift() ?? startCurl();
    let body = '';
    let words = '';
    child.stdout.on(
      'data',
      (chunk: Buffer) => (body = body.length < 64 ? body + chunk.toString('latin1') : body),
    );
    child.stderr.on('data', (chunk: Buffer) => (words += chunk.toString()));
    child.on('close', (code) => {
      const start = words.indexOf('{');
      if (start < 0)
        return resolve({ ...FAILED, exitcode: code ?? 2, errormsg: words.trim() || 'curl was ended' });
      const told = JSON.parse(words.slice(start)) as Outcome;
      resolve({
        exitcode: told.exitcode,
        errormsg: told.errormsg,
        http_code: told.http_code,
        local_port: told.local_port,
        remote_ip: told.remote_ip,
        lblab_backend: firstLine(body),
      });
    });
    child.stdin.end(config.join(''));
  });
}

const isCurls = isIP(host) === 0;

const resolver = new Resolver({ timeout: 1000, tries: 2 });
let remembered: { readonly address: string; readonly until: number } | undefined;
let underWay: Promise<string> | undefined;

/** The first address of a fresh answer, kept for as long as its TTL says (RFC 1035 section 3.2.1). */
async function ask(): Promise<string> {
  const answer = (await resolver.resolve4(host, { ttl: true }))[0]!;
  remembered = { address: answer.address, until: now() + answer.ttl * 1000 };
  return answer.address;
}

async function addressFor(): Promise<string> {
  if (orders.lookup === 'asking') return ask();
  if (remembered !== undefined && now() < remembered.until) return remembered.address;
  underWay ??= ask().finally(() => (underWay = undefined));
  return underWay;
}

async function attempt(number: number): Promise<Outcome> {
  if (!isCurls) return bySocket(number);
  if (orders.lookup === undefined || orders.lookup === 'ordinary') return byCurl(number);
  try {
    return await byCurl(number, await addressFor());
  } catch (error) {
    return {
      ...FAILED,
      exitcode: UNRESOLVED,
      errormsg: `Could not resolve ${host}: ${(error as Error).message}`,
    };
  }
}

async function send(number: number, due = now()): Promise<void> {
  const started = now();
  const answered = attempt(number);
  const left = orders.count - number;
  if (isCurls && waiting.length < Math.min(SPARE, left)) setImmediate(() => waiting.push(startCurl()));
  const outcome = await answered;
  const line: Line = {
    ...outcome,
    time_total: (now() - started) / 1000,
    lblab_started: started / 1000,
    lblab_late: Math.max(0, started - due) / 1000,
    lblab_number: number,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const sleep = async (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** When each request begins, in periods after the first: evenly, or with a seed at random moments, the same for the same seed. */
function moments(): number[] {
  const even = Array.from({ length: orders.count }, (_, index) => index);
  if (orders.seed === undefined) return even;
  // As many moments as there are periods, each anywhere: what independent callers look like. The generator is mulberry32.
  let state = orders.seed;
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return [0, ...even.slice(1).map(() => random() * orders.count)].sort((a, b) => a - b);
}

async function atRate(rate: number): Promise<void> {
  const began = now();
  const all: Promise<void>[] = [];
  for (const [index, moment] of moments().entries()) {
    const due = began + (moment * 1000) / rate;
    if (due > now()) await sleep(due - now());
    all.push(send(index + 1, due));
  }
  await Promise.all(all);
}

async function inTurn(): Promise<void> {
  let next = 1;
  const worker = async () => {
    for (let number = next++; number <= orders.count; number = next++) await send(number);
  };
  await Promise.all(Array.from({ length: orders.concurrency }, worker));
}

// Such as a disk that is full.
process.stdout.on('error', (error) => {
  process.stderr.write(`the log cannot be written: ${error.message}\n`);
  process.exit(1);
});
if (isCurls) for (let some = Math.min(SPARE, orders.count); some > 0; some--) waiting.push(startCurl());
if (process.env['LBLAB_WAIT'] !== undefined) {
  // A listener for a signal keeps no process alive.
  const alive = setInterval(() => {}, 60_000);
  const go = once(process, 'SIGUSR2');
  process.stderr.write('ready\n');
  await go;
  clearInterval(alive);
}
await (orders.rate === undefined ? inTurn() : atRate(orders.rate));
kept?.destroy();
for (const child of waiting) child.kill();
