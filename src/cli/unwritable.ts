/** Why a file that the user has named cannot be written, and what to do: the one place for these sentences. */
import { codeOf, isNoSpace, parentOf } from "../os/world.ts";
import { CommandError, type ExitCode, exitCodes } from "./exit.ts";
import { printable } from "./printable.ts";

/** A `CommandError` that begins with `what`, e.g. "write"; what is no trouble of the system comes back as it is. */
export function cannotWrite(path: string, problem: unknown, what = "write"): unknown {
  const reason = reasonNotToWrite(path, problem);
  if (reason === undefined) return problem;
  return new CommandError(exitCodeOf(problem), printable(`Cannot ${what} ${path}: ${reason}`), { cause: problem });
}

/** As the end of a sentence that has named the path; nothing for what is no trouble of the system. */
export function reasonNotToWrite(path: string, problem: unknown): string | undefined {
  const code = codeOf(problem);
  if (problem instanceof CommandError || !/^E[A-Z0-9]+$/.test(code)) return undefined;
  if (isNoSpace(problem)) return "the disk is full, or a quota is used up: make room, or name another place";
  return reasons(path)[code] ?? `the system says ${code}`;
}

function reasons(path: string): Readonly<Record<string, string>> {
  const inside = parentOf(path.replace(/(?<=.)\/+$/, ""));
  const rights = `permission denied: look at the owner and the rights of ${inside}, or name another place`;
  return {
    EEXIST: "it is there already, and nothing is written over: name another, or remove it",
    ENOENT: `there is no directory ${inside}: make it, or name another place`,
    EISDIR: "it is a directory: name a file in it",
    ENOTDIR: `${inside} is no directory: name another place`,
    EACCES: rights,
    EPERM: rights,
    EROFS: "the file system is only read: name another place",
    ENAMETOOLONG: "the name is too long: name another",
    EIO: "the disk fails: name another place",
  };
}

function exitCodeOf(problem: unknown): ExitCode {
  const code = codeOf(problem);
  if (isNoSpace(problem)) return exitCodes.diskFull;
  if (code === "EIO") return exitCodes.logStopped;
  return code === "EACCES" || code === "EPERM" ? exitCodes.permission : exitCodes.notWritable;
}
