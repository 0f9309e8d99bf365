/** [shell] Claiming the data directory for this process, and the sentences for what can be wrong with it. */
import { claimDirectory, DirectoryBusy, DirectoryRefused } from "../log/mod.ts";
import { codeOf, isNoSpace, type World } from "../os/world.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { inOurWords } from "./unwritable.ts";

/** The node's id. Throws a `CommandError`. */
export function claim(world: World, dir: string): string {
  try {
    return claimDirectory(world, dir, `process ${Deno.pid} on ${Deno.hostname()}`);
  } catch (problem) {
    throw explained(problem, dir);
  }
}

/** What the intake thread's news call a directory that is left as it is: classes do not cross threads. */
const refusals = ["DirectoryRefused", "NewerFormat"];

/** The exit code and the sentence for what can be wrong with the directory. */
export function explained(problem: unknown, dir: string): CommandError {
  const text = inOurWords(problem);
  const code = codeOf(problem);
  if (problem instanceof DirectoryBusy || code === "DirectoryBusy") {
    return new CommandError(
      exitCodes.locked,
      `${text}; stop that one, or give this one a directory of its own with --data`,
    );
  }
  if (problem instanceof DirectoryRefused || refusals.includes(code)) return new CommandError(exitCodes.badData, text);
  if (isNoSpace(problem)) {
    return new CommandError(
      exitCodes.diskFull,
      `Cannot start in "${dir}": the disk is full; make room, or choose another directory with --data`,
    );
  }
  if (["EACCES", "EPERM", "EROFS", "ENOTDIR", "ENOENT", "EEXIST"].includes(code)) {
    const rights = code === "EACCES" || code === "EPERM";
    const advice = rights ? "check its owner and rights" : "choose another directory with --data";
    return new CommandError(exitCodes.notWritable, `Cannot write to directory "${dir}": ${text}; ${advice}`);
  }
  // The disk fails, or there are no more file handles: a later start may work.
  const exit = /^E[A-Z0-9]+$/.test(code) ? exitCodes.logStopped : exitCodes.unexpected;
  return new CommandError(exit, `Cannot start in "${dir}": ${text}`, { cause: problem });
}
