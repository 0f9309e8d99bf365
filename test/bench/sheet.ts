/** What the benchmarks say: a line of JSON a figure, and in the end the table for people. */
import type { Result } from "./case.ts";
import { comparison, type Line } from "./compare.ts";
import type { Machine } from "./machine.ts";
import { markdown, type Shown } from "./markdown.ts";
import type { Options } from "./options.ts";

export class Sheet {
  readonly options: Options;
  readonly machine: Machine;
  failed = false;
  readonly #rows: Shown[] = [];
  readonly #lines: Line[] = [];

  constructor(options: Options, machine: Machine) {
    this.options = options;
    this.machine = machine;
  }
  add(name: string, runtime: string, { part, figures, row }: Result): void {
    const { pins: _, ...machine } = this.machine;
    const full = part === undefined ? name : `${name}/${part}`;
    this.#say({ case: full, runtime, machine, ...figures, date: new Date().toISOString() });
    this.#rows.push({ name: full, runtime, row });
  }
  skip(what: { readonly case: string; readonly runtime: string; readonly reference?: string }, reason: string): void {
    this.#say({ ...what, skipped: reason });
  }
  fail(what: { readonly case: string; readonly runtime: string }, reason: string): void {
    this.failed = true;
    this.#say({ ...what, failed: reason });
  }
  markdown(): string {
    const { machine, options } = this;
    return markdown(this.#rows, { machine, options, date: new Date().toISOString() });
  }

  /** These beside those of an earlier day. */
  compared(before: readonly Line[]): string {
    return comparison(before, this.#lines);
  }

  #say(line: Line): void {
    const text = JSON.stringify(line);
    console.log(text);
    this.#lines.push(line);
    if (this.options.save !== undefined) Deno.writeTextFileSync(this.options.save, `${text}\n`, { append: true });
  }
}
