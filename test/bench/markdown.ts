/** The figures for people: a table to paste into the README. */
import type { Row } from "./case.ts";
import type { Machine } from "./machine.ts";
import type { Options } from "./options.ts";

export interface Shown {
  readonly name: string;
  readonly runtime: string;
  readonly row: Row;
}
export interface Circumstances {
  readonly machine: Machine;
  readonly options: Options;
  readonly date: string;
}

const heads = ["case", "runtime", "result", "p50 / p99 / p99.9 ms", "CPU s a million", "beside"];

export function markdown(shown: readonly Shown[], circumstances: Circumstances): string {
  const rows = shown.map(({ name, runtime, row }) => [
    `\`${name}\``,
    runtime,
    row.result,
    row.latency ?? "",
    row.cpu ?? "",
    row.beside ?? "",
  ]);
  const table = [heads, heads.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  return [...table, "", caption(circumstances)].join("\n");
}

function caption({ machine, options, date }: Circumstances): string {
  const { cpu, cores, kernel, fs, pins } = machine;
  const pinned = pins.server === undefined ? "not pinned" : "server on one core, load on another";
  const rounds = `median [least–most] of ${options.rounds} rounds of ${options.seconds} s`;
  return `${rounds}; ${pinned}; ${cpu}, ${cores} cores, Linux ${kernel}, ${fs}; ${date.slice(0, 10)}.`;
}
