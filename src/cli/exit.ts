/** The exit codes, and the error that ends a command with one. The manual lists them. */

export const exitCodes = {
  ok: 0,
  unexpected: 1,
  usage: 64,
  badData: 65,
  unreachable: 69,
  logStopped: 70,
  cannotListen: 71,
  notWritable: 73,
  diskFull: 74,
  locked: 75,
  permission: 77,
  configuration: 78,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Ends the command: its sentences go to the operator as they are, without a stack. */
export class CommandError extends Error {
  readonly code: ExitCode;
  readonly sentences: readonly string[];

  constructor(code: ExitCode, sentences: string | readonly string[], options?: ErrorOptions) {
    const all = typeof sentences === "string" ? [sentences] : sentences;
    super(all.join("\n"), options);
    this.code = code;
    this.sentences = all;
  }
}
