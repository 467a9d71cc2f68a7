// The entry point: the one place that ends the process. What it imports at once is what `--version` costs; the rest is loaded when needed.
import { readFileSync } from 'node:fs';

/** The package's version, from its package.json. */
function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

const argv = process.argv.slice(2);
if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
  process.stdout.write(`${version()}\n`);
} else {
  const { main } = await import('./program.ts');
  process.exitCode = await main(argv, version());
}
