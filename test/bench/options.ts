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
  /** How much of a log is read, and how much waits for a destination that is dead. */
  readonly messages: number;
  /** Where the temporary directory is made. */
  readonly dir: string | undefined;
  /** Lines of JSON of an earlier day that these are put beside. */
  readonly compare: string | undefined;
  /** Where the lines of JSON go, too. */
  readonly save: string | undefined;
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
  --messages N      size of the logs that the cases about reading and about destinations in trouble make (default 1000000)
  --dir PATH        where the data is written, on a real disk (default: dist in the checkout)
  --markdown        a table for people at the end
  --save FILE       writes the JSON lines into FILE, too
  --compare FILE    a table at the end: these figures to those saved in FILE; the exit code does not depend on it
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
      messages: { type: "string", default: "1000000" },
      dir: { type: "string" },
      compare: { type: "string" },
      save: { type: "string" },
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
    messages: whole("--messages", values.messages, 9),
    dir: values.dir,
    compare: values.compare,
    save: values.save,
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

function whole(flag: string, word: string, digits = 6): number {
  if (!/^[1-9]\d*$/.test(word) || word.length > digits) throw new Error(`${flag} must be a whole number above 0`);
  return Number(word);
}
