/** What the command line of the benchmarks asks for. */
import { parseArgs } from "node:util";

export type RuntimeKind = "source" | "executable";

export interface Options {
  /** Names of cases; none means all that run by themselves. */
  readonly cases: readonly string[];
  readonly runtimes: readonly RuntimeKind[];
  /** How long a round loads the server. */
  readonly seconds: number;
  readonly rounds: number;
  /** How much of a log start-large starts on. */
  readonly logMib: number;
  /** Where the temporary directory is made. */
  readonly dir: string | undefined;
  readonly list: boolean;
  readonly markdown: boolean;
  readonly help: boolean;
}

export const help = `deno task bench [options]      figures as JSON lines; README.md beside this says what they mean

  --case NAME       only this case, or, as in inside/get, one part of it; may be given several times
  --runtime WHICH   source (default), executable (SPARKNGIN_EXE, else dist/sparkngin) or both
  --seconds N       how long each round loads the server (default 10)
  --rounds N        rounds of each case, ours and those of its references in turn (default 3)
  --log-mib N       size of the log that start-large starts on (default 1024)
  --dir PATH        where the data is written, on a real disk (default: dist in the checkout)
  --markdown        a table for people at the end
  --list            the cases and what they measure
`;

/** Throws an error that says what is wrong with the arguments. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      case: { type: "string", multiple: true, default: [] },
      runtime: { type: "string", default: "source" },
      seconds: { type: "string", default: "10" },
      rounds: { type: "string", default: "3" },
      "log-mib": { type: "string", default: "1024" },
      dir: { type: "string" },
      list: { type: "boolean", default: false },
      markdown: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  return {
    cases: values.case,
    runtimes: runtimesOf(values.runtime),
    seconds: whole("--seconds", values.seconds),
    rounds: whole("--rounds", values.rounds),
    logMib: whole("--log-mib", values["log-mib"]),
    dir: values.dir,
    list: values.list,
    markdown: values.markdown,
    help: values.help,
  };
}

function runtimesOf(word: string): RuntimeKind[] {
  if (word === "both") return ["source", "executable"];
  if (word === "source" || word === "executable") return [word];
  throw new Error("--runtime must be source, executable or both");
}

function whole(flag: string, word: string): number {
  if (!/^[1-9]\d{0,5}$/.test(word)) throw new Error(`${flag} must be a whole number above 0`);
  return Number(word);
}
