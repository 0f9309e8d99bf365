/**
 * Puts all mutants of some files, switched off, into a copy of the project. Runs as `deno test`, because only there Deno
 * gives a syntax tree; `main.ts` starts it. Arguments: the copy's directory and the files, as paths in the project.
 */
import type { Mutant } from "./mutants.ts";
import { mutantsOf, withSwitches } from "./mutants.ts";

export interface Planted extends Mutant {
  readonly id: number;
  readonly file: string;
}

Deno.test("mutants are planted", () => {
  const [copy, ...files] = Deno.args;
  const planted: Planted[] = [];
  for (const file of files) {
    const path = `${copy}/${file}`;
    const text = Deno.readTextFileSync(path);
    const mutants = mutantsOf(text);
    const active = "../".repeat(file.split("/").length - 1) + "test/mutation/active.ts";
    Deno.writeTextFileSync(path, withSwitches(text, mutants, planted.length, active));
    for (const mutant of mutants) planted.push({ ...mutant, id: planted.length, file });
  }
  Deno.writeTextFileSync(`${copy}/mutants.json`, JSON.stringify(planted));
});
