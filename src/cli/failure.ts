// Errors that a command ends with, and their exit codes: 1 a check failed, 2 usage or a bad topology, 3 something needed is missing,
// 4 undecided, 70 our own bug, 130 and 143 signals.

/** An error for the user: a message that says what, where, and what to do. */
export class Failure extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode: number) {
    super(message);
    this.name = 'Failure';
    this.exitCode = exitCode;
  }
}

export const EXIT = { ok: 0, failed: 1, usage: 2, missing: 3, undecided: 4, bug: 70 } as const;

/** The words of whatever was thrown. */
export const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
