/** Calls of the node that fail, or freeze it, by a library put in front of the system's. */
import { compileLibrary } from "./library.ts";

/** By number as in `fault.c`, from 1. */
const calls = [
  "create",
  "open",
  "read",
  "write",
  "sync",
  "sync directory",
  "rename",
  "unlink",
  "truncate",
  "make directory",
  "free space",
  "list",
] as const;
export type Call = (typeof calls)[number];

const errnos = { EIO: 5, EMFILE: 24, ENOSPC: 28 } as const;
export type Errno = keyof typeof errnos;

/** A kind of call on a kind of file, e.g. syncs of `log/*.seg`; for a rename it is the new name that counts. */
export interface Site {
  readonly call: Call;
  /** From the directory on, as a shell understands it. */
  readonly pattern: string;
}

export interface Rule extends Site {
  /** The first call to be struck, from 1. */
  readonly at: number;
  /** "short": half of a write is carried out. "freeze": nothing in the program moves any more. "pretend": nothing is done. */
  readonly does: Errno | "short" | "freeze" | "pretend";
  /** The call is carried out first. */
  readonly after: boolean;
  readonly lasts: "once" | "for ever" | number;
}

/** A call that the node has made. */
export interface Made {
  readonly call: Call;
  readonly path: string;
  readonly failed: boolean;
}

const fieldBytes = 48;
const patternBytes = 208;
const armedAt = 0;
const tracedAt = 6;
const seenAt = 7;
const firedAt = 8;

/** Rules for the calls of one node after the other, on files below a directory. */
export class Faults {
  readonly env: Readonly<Record<string, string>>;

  private constructor(env: Readonly<Record<string, string>>) {
    this.env = env;
  }
  /** Its files go to `place`, which stays as it is whatever happens to `under`. */
  static async prepare(place: string, under: string): Promise<Faults> {
    const env = {
      LD_PRELOAD: await compileLibrary("fault", place),
      FAULT_UNDER: under,
      FAULT_CONTROL: `${place}/fault.control`,
      FAULT_TRACE: `${place}/fault.trace`,
    };
    await Deno.writeFile(env.FAULT_CONTROL, new Uint8Array(fieldBytes + patternBytes));
    return new Faults(env);
  }

  /** From now on, counted anew. */
  arm({ call, pattern, at, does, after, lasts }: Rule): void {
    this.disarm();
    const error = { ...errnos, freeze: 0, short: -1, pretend: -2 }[does];
    const lasting = lasts === "once" ? 0 : lasts === "for ever" ? -1 : lasts;
    const fields = [calls.indexOf(call) + 1, at, error, lasting, Number(after)];
    const text = new Uint8Array(patternBytes);
    new TextEncoder().encodeInto(pattern, text);
    this.#write(fieldBytes / 4, text);
    this.#write(armedAt + 1, numbers(...fields));
    this.#write(armedAt, numbers(1));
  }
  /** Everything works again, and the counts are zero. */
  disarm(): void {
    this.#write(armedAt, numbers(0));
    this.#write(seenAt, numbers(0, 0));
  }
  /** How many calls were struck. */
  get fired(): number {
    return this.#read(firedAt);
  }

  /** From now on calls are written down. */
  async trace(): Promise<void> {
    await Deno.writeTextFile(this.env.FAULT_TRACE!, "");
    this.#write(tracedAt, numbers(1));
  }
  async traced(): Promise<Made[]> {
    this.#write(tracedAt, numbers(0));
    const lines = (await Deno.readTextFile(this.env.FAULT_TRACE!)).split("\n").slice(0, -1);
    return lines.map((line) => {
      const [, number, how, path] = /^(\d+) (\w+) (.*)$/.exec(line)!;
      return { call: calls[Number(number) - 1]!, path: path!, failed: how === "failed" };
    });
  }

  #write(field: number, bytes: Uint8Array): void {
    using file = Deno.openSync(this.env.FAULT_CONTROL!, { write: true });
    file.seekSync(field * 4, Deno.SeekMode.Start);
    file.writeSync(bytes);
  }
  #read(field: number): number {
    const bytes = Deno.readFileSync(this.env.FAULT_CONTROL!);
    return new Int32Array(bytes.buffer)[field]!;
  }
}

function numbers(...values: number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(values).buffer);
}

/** The sites of calls, each with how many there were. */
export function sitesOf(made: readonly Made[]): { readonly site: Site; readonly count: number }[] {
  const groups = Map.groupBy(made, ({ call, path }) => `${call} ${patternOf(path)}`);
  return [...groups.values()].map((all) => ({
    site: { call: all[0]!.call, pattern: patternOf(all[0]!.path) },
    count: all.length,
  }));
}

/** Numbers, ids, days and topics give way to stars. */
function patternOf(path: string): string {
  return path
    .replace(/^(out[^/]*)\/[^.][^/]*/, "$1/*")
    .replace(/\d{4}-\d\d-\d\d/, "*")
    .replace(/(\d\d-\d{20}|[0-9a-f]{16,})(\.\d+)?/g, "*")
    .replace(/\*-\*/, "*");
}
