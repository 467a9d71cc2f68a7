// CSV (RFC 4180): a line for each check, for spreadsheets.
import { nameOf, type Reporter } from './types.ts';

/** A leading `=`, `+`, `-` or `@` would be a formula to a spreadsheet. */
const field = (text: string) => `"${text.replace(/^[=+\-@]/, "'$&").replaceAll('"', '""')}"`;

export const csvReporter: Reporter = {
  render: (results) =>
    [
      ['lab', 'claim', 'status'],
      ...results.flatMap((result) => result.checks.map(({ id, status }) => [nameOf(result), id, status])),
    ]
      .map((row) => row.map(field).join(',') + '\r\n')
      .join(''),
};
