// Writes the outputs in README.md from real runs: `npm run readme`. Each follows a comment that says what is run:
// `<!-- output: lblab up l7; lblab exec lb -- ss -tln -->`. What stands in parentheses is run and not shown.
// With --check it writes nothing and says which outputs have other words than the program now; figures may differ. Any other word is one
// that a command must have to be run: `npm run readme -- compare`.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');
const README = join(ROOT, 'README.md');
const OUTPUT = /<!-- output: (.*?) -->\n\n```\n([^]*?)```\n/g;

/** Runs in a folder where nothing else is, without a terminal, colours, or labs of others. */
function run(command, folder) {
  const [, ...argv] = command.split(' ');
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(ROOT, 'bin/lblab.js'), ...argv], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, LBLAB_STATE_DIR: join(folder, 'state'), NO_COLOR: '1', COLUMNS: '100', CI: '' },
    timeout: 600_000,
  });
  if (status !== 0) throw new Error(`${command}: exit code ${status}\n${stderr}${stdout}`);
  return stdout;
}

function outputOf(said, folder) {
  const [, hidden = '', shown] = /^(?:\((.*?)\) )?(.*)$/.exec(said);
  for (const command of hidden.split('; ').filter((text) => text !== '')) run(command, folder);
  const commands = shown.split('; ');
  const outputs = commands.map((command) => {
    const output = run(command, folder);
    return commands.length === 1 ? output : `$ ${command}\n${output}`;
  });
  return outputs.join('');
}

/** The words of an output: what is left when figures, and the lines drawn as long as they need, are not looked at. */
function words(output) {
  return output
    .replace(/\b(ns|us|µs|ms|s)\b/g, '')
    .replace(/[\d.\u2500-\u257f]+/g, ' ')
    .split(/\s+/)
    .filter((word) => word !== '')
    .join(' ');
}

const folder = mkdtempSync(join(tmpdir(), 'lblab-readme-'));
chmodSync(folder, 0o700);
try {
  const readme = readFileSync(README, 'utf8');
  const wanted = process.argv.slice(2).find((word) => !word.startsWith('--')) ?? '';
  const now = readme.replace(OUTPUT, (whole, said, before) => {
    if (!said.includes(wanted)) return whole;
    const output = outputOf(said, folder);
    if (words(output) === words(before)) console.log(`as it was: ${said}`);
    else {
      console.log(`other words: ${said}\n${output}`);
      process.exitCode = process.argv.includes('--check') ? 1 : 0;
    }
    return `<!-- output: ${said} -->\n\n\`\`\`\n${output}\`\`\`\n`;
  });
  if (!process.argv.includes('--check')) writeFileSync(README, now);
} finally {
  spawnSync(process.execPath, [join(ROOT, 'bin/lblab.js'), 'down', '--all'], {
    env: { ...process.env, LBLAB_STATE_DIR: join(folder, 'state') },
  });
  rmSync(folder, { recursive: true, force: true });
}
