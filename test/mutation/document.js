// docs/mutants.md: how many mutants each file has, and why those stay that no test notices.
import { format, resolveConfig } from 'prettier';

const HEAD = `# Mutants

\`npm run mutate\` changes an expression of \`src/verify\` or of \`src/pcap\` at a time (a comparison turned round, \`&&\` for
\`||\`, a number one more, a condition never true, a call left out) and runs the tests that come past it until one notices. \`npm run mutate -- FILE...\` does
so for some files, \`--every 5\` for each fifth mutant. All changes are compiled in behind a switch and the tests run in one process a core;
tests that need tshark, or chance, are left out, so that a mutant that survives here may still be noticed by those.

A mutant that survives is a test that is missing, or a change that changes nothing. Each that is left stands in
\`test/mutation/argued\` with the reason, and below; a run that finds another exits with 1. \`npm run mutate -- --document\` renews this page
from there.
`;

const code = (text) => {
  const fence = text.includes('`') ? '``' : '`';
  const space = text.startsWith('`') || text.endsWith('`') ? ' ' : '';
  return `${fence}${space}${text}${space}${fence}`;
};
const ofSource = (key) => key.replace(/^src\//, '');

/**
 * @param {{ file: string, key: string }[]} mutants all of them
 * @param {{ why: string, keys: string[] }[]} argued those that stay
 * @returns {Promise<string>} Markdown
 */
export async function describe(mutants, argued) {
  const known = new Set(argued.flatMap(({ keys }) => keys));
  const staying = mutants.filter(({ key }) => known.has(key));
  const files = [...new Set(mutants.map(({ file }) => file))].sort();
  const rows = files.map((file) => {
    const of = (some) => some.filter((mutant) => mutant.file === file).length;
    return `| ${ofSource(file)} | ${of(mutants)} | ${of(staying)} |`;
  });
  const reasons = argued.map(
    ({ why, keys }) =>
      `**${why.trim().replace(/\s+/g, ' ')}**\n\n${keys.map((key) => `- ${code(ofSource(key))}`).join('\n')}\n`,
  );
  const text = `${HEAD}
${mutants.length} mutants, of which ${staying.length} stay.

| file | mutants | stay |
| --- | --- | --- |
${rows.join('\n')}

## Why they stay

${reasons.join('\n')}`;
  return format(text, { ...(await resolveConfig(import.meta.filename)), parser: 'markdown' });
}
