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

/** The same for what is the matter in a data directory: what the system says, and of what, in our words. */
export function inOurWords(problem: unknown): string {
  const text = problem instanceof Error ? problem.message : String(problem);
  const said = /^.*? \(os error \d+\)(?:[:,] )?(.*)$/s.exec(text);
  if (said === null) return text;
  const code = codeOf(problem);
  const reason = troubles[code] ?? (code === "" ? "the system refuses" : `the system says ${code}`);
  return said[1] === "" ? reason : `${reason} (${said[1]})`;
}

const troubles: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  ENOENT: "something in it is missing",
  ENOTDIR: "a file is where a directory should be",
  EEXIST: "something is in its place",
  EISDIR: "a directory is where a file should be",
  EROFS: "the file system is only read",
  EIO: "the disk fails",
  ENOSPC: "the disk is full",
  EDQUOT: "a quota is used up",
  EMFILE: "there are no more file handles: raise the limit (ulimit -n)",
  ENFILE: "the system has no more file handles",
  ENAMETOOLONG: "the name is too long",
};

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
