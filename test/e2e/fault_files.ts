/** The file destination under faults of its disk and its directory: what is accepted is in the files once. */
import { type Call, Faults } from "../crash/fault.ts";
import { compileLibrary } from "../crash/library.ts";
import { missing as missingCommands } from "../crash/needs.ts";
import { SmallDisk } from "../crash/small_disk.ts";
import type { Row } from "./destination_faults.ts";
import { makeTempDir, type TempDir } from "./node.ts";
import { parseLine, readOutput } from "./output.ts";
import { eventually, pause } from "./waiting.ts";
import { type Cell, late, nameOf, onNode, own, type Way } from "./ways.ts";

const diskBytes = 8 << 20;
const slowCallMs = 200;
const stallMs = 3000;

const lacks = missingCommands(["gcc"]);

export function files(): Row {
  return new Files().row;
}

class Files {
  #home!: TempDir;
  #faults!: Faults;
  /** What stood in a directory before it was removed. */
  readonly #removed = new Map<string, readonly string[]>();

  get row(): Row {
    const cells: Cell[] = [
      this.#diskFull(),
      // It says so, and begins anew before anybody looks.
      this.#own("directory removed", (dir) => this.#remove(dir), () => {}),
      this.#own(
        "permission taken away",
        (dir) => setMode(dir, 0o500),
        (dir) => setMode(dir, 0o755),
        /ermission denied/,
      ),
      { ...this.#own("a file in its place", occupy, free, /directory|exists/i), fromStart: true },
      this.#own("slow disk", () => this.#slow(slowCallMs), () => this.#slow(0)),
      this.#struck("writes fail", "write"),
      this.#struck("syncs fail", "sync"),
      this.#struck("renames are refused", "rename"),
      late("the disk does not answer", ({ sender }) => this.#stall(() => sender.send())),
      ...onNode,
    ];
    return {
      name: "files",
      lacks: lacks === "" ? "" : ` (${lacks})`,
      // Files of root are closed to it, too.
      ...Deno.uid() === 0 && { through: ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] },
      cells: cells.map((cell) => ({ ...cell, once: true })),
      begin: () => this.#begin(),
    };
  }

  async #begin() {
    const home = this.#home = await makeTempDir();
    await Deno.mkdir(`${home.path}/out`);
    this.#faults = await Faults.prepare(home.path, `${home.path}/out`);
    const { LD_PRELOAD, ...rest } = this.#faults.env;
    const slow = {
      SLOW_DIR: this.#dirOf({ name: "slow disk" }),
      SLOW_CALLS: `${home.path}/slow`,
      SLOW_STALL: `${home.path}/stall`,
    };
    return {
      port: 0,
      env: { ...rest, ...slow, LD_PRELOAD: `${LD_PRELOAD}:${await compileLibrary("slow_disk", home.path)}` },
      config: (cell: Cell) => `kind = "file"\ndir = "${this.#dirOf(cell)}"\nroll_bytes = "64KiB"\n`,
      arrived: async (cell: Cell) => {
        const now = await readOutput(this.#dirOf(cell), "t");
        return [...this.#removed.get(this.#dirOf(cell)) ?? [], ...now.map(({ data }) => data!)];
      },
      [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
    };
  }

  #dirOf(cell: { readonly name: string }): string {
    return `${this.#home.path}/out/${nameOf(cell)}`;
  }

  #own(name: string, begin: (dir: string) => void, mend: (dir: string) => void, says?: RegExp): Cell {
    return own(name, () => begin(this.#dirOf({ name })), () => mend(this.#dirOf({ name })), says);
  }

  #diskFull(): Cell {
    const name = "disk full";
    return {
      name,
      needsRoot: true,
      says: /space/i,
      open: async (): Promise<Way> => {
        const disk = await SmallDisk.mount(this.#dirOf({ name }), diskBytes);
        return {
          door: { host: "", port: 0 },
          begin: () => disk.fill(),
          mend: () => disk.free(),
          [Symbol.asyncDispose]: () => disk[Symbol.asyncDispose](),
        };
      },
    };
  }

  /** With all that is in it. */
  #remove(dir: string): void {
    const paths = [...Deno.readDirSync(`${dir}/t`)].flatMap((day) =>
      [...Deno.readDirSync(`${dir}/t/${day.name}`)].map(({ name }) => `${dir}/t/${day.name}/${name}`)
    );
    const lines = paths.sort().flatMap((path) => Deno.readTextFileSync(path).split("\n").slice(0, -1));
    this.#removed.set(dir, lines.map((line) => parseLine(line).data!));
    Deno.removeSync(dir, { recursive: true });
  }

  #slow(ms: number): void {
    Deno.writeTextFileSync(`${this.#home.path}/slow`, String(ms));
  }

  async #stall(send: () => Promise<void>): Promise<void> {
    const path = `${this.#home.path}/stall`;
    await Deno.writeTextFile(path, "");
    await send();
    await pause(stallMs);
    await Deno.remove(path);
  }

  /** By the library in front of the system's, for as long as it takes until the destination says so. */
  #struck(name: string, call: Call): Cell {
    return late(name, async ({ host, sender }) => {
      const pattern = `${nameOf({ name })}/*`;
      this.#faults.arm({ call, pattern, at: 1, does: "EIO", after: false, lasts: "for ever" });
      await eventually("a failure that is told", async () => {
        await sender.send();
        const shown = (await host.destinations()).find((one) => one.name === nameOf({ name }))!;
        return /Input\/output error|EIO/i.test(shown.last_error);
      });
      await sender.arrivedNear();
      this.#faults.disarm();
    });
  }
}

function setMode(dir: string, mode: number): void {
  for (const path of [dir, `${dir}/t`, ...daysOf(dir)]) Deno.chmodSync(path, mode);
}

function daysOf(dir: string): string[] {
  return [...Deno.readDirSync(`${dir}/t`)].map(({ name }) => `${dir}/t/${name}`);
}

function occupy(dir: string): void {
  Deno.writeTextFileSync(dir, "");
}

function free(dir: string): void {
  Deno.removeSync(dir);
}
