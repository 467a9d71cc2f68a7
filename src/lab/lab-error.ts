// What goes wrong with a lab, in words for the user.

export class LabError extends Error {
  /** The exit code that the command line ends with. */
  readonly exitCode: number;
  constructor(message: string, exitCode = 2) {
    super(message);
    this.name = 'LabError';
    this.exitCode = exitCode;
  }
}
