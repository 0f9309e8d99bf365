/** What the benchmarks say: a line of JSON a figure, and in the end the table for people. */
import type { Result } from "./case.ts";
import type { Machine } from "./machine.ts";
import { markdown, type Shown } from "./markdown.ts";
import type { Options } from "./options.ts";

export class Sheet {
  readonly options: Options;
  readonly machine: Machine;
  failed = false;
  readonly #rows: Shown[] = [];

  constructor(options: Options, machine: Machine) {
    this.options = options;
    this.machine = machine;
  }
  add(name: string, runtime: string, { part, figures, row }: Result): void {
    const { pins: _, ...machine } = this.machine;
    const full = part === undefined ? name : `${name}/${part}`;
    say({ case: full, runtime, machine, ...figures, date: new Date().toISOString() });
    this.#rows.push({ name: full, runtime, row });
  }
  skip(what: { readonly case: string; readonly runtime: string; readonly reference?: string }, reason: string): void {
    say({ ...what, skipped: reason });
  }
  fail(what: { readonly case: string; readonly runtime: string }, reason: string): void {
    this.failed = true;
    say({ ...what, failed: reason });
  }
  markdown(): string {
    const { machine, options } = this;
    return markdown(this.#rows, { machine, options, date: new Date().toISOString() });
  }
}

function say(line: object): void {
  console.log(JSON.stringify(line));
}
