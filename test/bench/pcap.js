// Times the packet engine on a generated capture against tshark and tcpdump, and takes its memory on a long one:
// `node test/bench/pcap.js [MILLIONS OF PACKETS FOR MEMORY]`. Prints ratios; asserts nothing.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const WORK = mkdtempSync(join(tmpdir(), 'lblab-bench-pcap-'));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const ENGINE = join(WORK, 'engine.mjs');
const READER = join(WORK, 'reader.mjs');

const REQUEST = Buffer.from(
  `GET /index.html HTTP/1.1\r\nHost: myapp1\r\nUser-Agent: ${'x'.repeat(132)}\r\n\r\n`,
);
const ANSWER_HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 636\r\n\r\n';
const ANSWER = Buffer.from(`${ANSWER_HEAD}${'y'.repeat(636)}`);

/** What one connection sends: flags, whether from the client, payload. Thirty exchanges between handshake and end. */
const SCRIPT = [
  [0x02, true, 0],
  [0x12, false, 0],
  [0x10, true, 0],
  ...Array.from({ length: 30 }, () => [
    [0x18, true, REQUEST.length],
    [0x18, false, ANSWER.length],
    [0x10, true, 0],
  ]).flat(),
  [0x11, true, 0],
  [0x11, false, 0],
  [0x10, true, 0],
];
const FRAME = 54;

/** Puts a pcap of `packets` packets into `sink`, a piece at a time, `alive` connections being open at once. */
async function generate(packets, alive, snapLength, sink) {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(65_535, 16);
  header.writeUInt32LE(1, 20);
  await sink(header);
  const step = new Uint8Array(alive);
  const life = new Uint32Array(alive);
  const sent = [new Uint32Array(alive), new Uint32Array(alive)];
  let piece = Buffer.alloc(4 << 20);
  let at = 0;
  for (let index = 0; index < packets; index++) {
    // Connections open one after the other, so that handshakes, exchanges and ends mix as they do in life.
    const slot = index % Math.min(alive, 1 + Math.floor(index / SCRIPT.length));
    const [flags, isClient, length] = SCRIPT[step[slot]];
    const [own, peer] = isClient ? [0, 1] : [1, 0];
    if (step[slot] === 0) {
      sent[0][slot] = Math.imul(slot + 1, 2_654_435_761) + life[slot] * 100_003;
      sent[1][slot] = Math.imul(slot + 7, 40_503) + life[slot] * 7919;
    }
    const captured = Math.min(FRAME + length, snapLength);
    if (at + 16 + captured > piece.length) {
      await sink(piece.subarray(0, at));
      piece = Buffer.alloc(4 << 20);
      at = 0;
    }
    const micros = index * 2;
    piece.writeUInt32LE(1_700_000_000 + Math.floor(micros / 1e6), at);
    piece.writeUInt32LE(micros % 1e6, at + 4);
    piece.writeUInt32LE(captured, at + 8);
    piece.writeUInt32LE(FRAME + length, at + 12);
    const frame = at + 16;
    piece.writeUInt32BE(0x02000000 | own, frame + 2);
    piece.writeUInt32BE(0x02000000 | peer, frame + 8);
    piece.writeUInt16BE(0x0800, frame + 12);
    piece.writeUInt16BE(0x4500, frame + 14);
    piece.writeUInt16BE(40 + length, frame + 16);
    piece.writeUInt16BE(index & 0xffff, frame + 18);
    piece.writeUInt16BE(0x4006, frame + 22);
    const client = 0x0a000000 + Math.floor(slot / 20_000);
    piece.writeUInt32BE(isClient ? client : 0x0a640001, frame + 26);
    piece.writeUInt32BE(isClient ? 0x0a640001 : client, frame + 30);
    const port = 20_000 + (slot % 20_000);
    piece.writeUInt16BE(isClient ? port : 80, frame + 34);
    piece.writeUInt16BE(isClient ? 80 : port, frame + 36);
    piece.writeUInt32BE(sent[own][slot], frame + 38);
    piece.writeUInt32BE((flags & 0x10) === 0 ? 0 : sent[peer][slot], frame + 42);
    piece.writeUInt16BE(0x5000 | flags, frame + 46);
    piece.writeUInt16BE(8192, frame + 48);
    (isClient ? REQUEST : ANSWER).copy(piece, frame + FRAME, 0, captured - FRAME);
    sent[own][slot] += length + ((flags & 3) === 0 ? 0 : 1);
    step[slot] = (step[slot] + 1) % SCRIPT.length;
    if (step[slot] === 0) life[slot]++;
    at = frame + captured;
  }
  await sink(piece.subarray(0, at));
}

/** The quickest of several runs: its seconds by the clock, and of processor time, which a busy machine disturbs less. */
function seconds(argv, times) {
  const taken = [];
  for (let run = 0; run < times; run++) {
    const { status, stderr } = spawnSync(
      'bash',
      ['-c', 'TIMEFORMAT="%R %U %S"; time "$@" >/dev/null 2>&1', ...argv.slice(0, 1), ...argv],
      {
        encoding: 'utf8',
      },
    );
    if (status !== 0) throw new Error(`${argv.join(' ')}: exit code ${status}\n${stderr}`);
    const [clock, user, system] = stderr.trim().split(' ').map(Number);
    taken.push({ clock, processor: user + system });
  }
  return {
    clock: Math.min(...taken.map(({ clock }) => clock)),
    processor: Math.min(...taken.map(({ processor }) => processor)),
  };
}

/** By the clock, and in parentheses in processor time. */
function ratio(a, b) {
  return `${(a.clock / b.clock).toFixed(1)} times as long (${(a.processor / b.processor).toFixed(1)})`;
}

async function speed(alive) {
  const file = join(WORK, `${alive}.pcap`);
  const descriptor = openSync(file, 'w');
  await generate(1_000_000, alive, 65_535, (piece) => writeSync(descriptor, piece));
  closeSync(descriptor);
  const ours = seconds([process.execPath, READER, file], 5);
  const tcpdump = seconds(['tcpdump', '-r', file, '-w', '/dev/null'], 5);
  const tshark = seconds(['tshark', '-q', '-z', 'conv,tcp', '-r', file], 2);
  rmSync(file);
  const shown = ({ clock, processor }) =>
    `${clock.toFixed(2)} s (${processor.toFixed(2)} s of processor time)`;
  console.log(
    `1,000,000 packets, ${alive.toLocaleString('en')} connections at once: ${shown(ours)}, Node's start included`,
  );
  console.log(`  tshark -q -z conv,tcp   ${shown(tshark)}: ${ratio(tshark, ours)}, aim: 20`);
  console.log(`  tcpdump -w /dev/null    ${shown(tcpdump)}: we take ${ratio(ours, tcpdump)}, aim: at most 6`);
}

async function memory(millions) {
  const reader = spawn(process.execPath, [READER, '-'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const output = [];
  reader.stdout.on('data', (chunk) => output.push(chunk));
  const closed = new Promise((resolve) => reader.on('close', resolve));
  await generate(millions * 1e6, 100_000, 60, (piece) => {
    if (reader.stdin.write(piece)) return undefined;
    return new Promise((resolve) => reader.stdin.once('drain', resolve));
  });
  reader.stdin.end();
  await closed;
  const { megabytes, connections, letGo } = JSON.parse(Buffer.concat(output).toString());
  console.log(`${millions} million packets, 100,000 connections at once: ${megabytes} MB at most (aim: 300)`);
  console.log(
    `  ${connections} connections kept, ${letGo.connections} let go of with ${letGo.packets} packets`,
  );
}

try {
  buildSync({
    entryPoints: [join(ROOT, 'src/pcap/index.ts')],
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    outfile: ENGINE,
    logLevel: 'warning',
  });
  writeFileSync(
    READER,
    `import { summarize } from './engine.mjs';
const [path] = process.argv.slice(2);
const { packets, connections, letGo } = await summarize(path === '-' ? process.stdin : path);
const megabytes = Math.round(process.resourceUsage().maxRSS / 1024);
console.log(JSON.stringify({ packets, connections: connections.length, letGo, megabytes }));
`,
  );
  console.log(`${availableParallelism()} processors, Node ${process.version}`);
  for (const alive of [1000, 10_000]) await speed(alive);
  await memory(Number(process.argv[2] ?? 10));
} finally {
  rmSync(WORK, { recursive: true, force: true });
}
