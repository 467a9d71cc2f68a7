// Text in columns, and times in words.
import stringWidth from 'string-width';

/** Columns side by side, each as wide as its widest cell; the last is left as it is. Lines end without blanks. */
export function table(rows: readonly (readonly string[])[], indent = ''): string {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => (column < row.length - 1 ? stringWidth(row[column]!) : 0))),
  );
  return rows
    .map((row) => {
      const cells = row.map(
        (cell, column) => cell + ' '.repeat(Math.max(0, widths[column]! - stringWidth(cell))),
      );
      return `${indent}${cells.join('  ')}`.trimEnd() + '\n';
    })
    .join('');
}

/** Commands that one may want next, each with what it is for. */
export function nextSteps(...steps: readonly (readonly [command: string, words: string])[]): string {
  return table(
    steps.map(([command, words]) => [command, `  ${words}`]),
    '  ',
  );
}

/** So many milliseconds in words: `5 s`, `3 min`, `2 h`, `4 d`. */
export function age(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}
