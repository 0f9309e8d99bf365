/** [shell] The way in: arguments → one command of `cli/`. Imports little, so that it starts fast. */
import { runProgram } from "./cli/program.ts";
import { realTerminal } from "./cli/terminal.ts";

Deno.exit(await runProgram(Deno.args, realTerminal()));
