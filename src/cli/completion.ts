/** `sparkngin completion`: what shells need to know. They ask us at each tab, so nothing they offer can differ from `--help`. */
import type { Command, Option } from "commander";
import { CommandError, type ExitCode, exitCodes } from "./exit.ts";
import { askStatus } from "./status.ts";
import type { Terminal } from "./terminal.ts";

export const shells = ["bash", "zsh", "fish"] as const;

/** With this word in front, the rest of the arguments is what stands on the line, the last of it begun. */
export const askingWord = "__complete";

const scripts: Readonly<Record<(typeof shells)[number], string>> = {
  bash: `# bash completion of sparkngin: source <(sparkngin completion bash)
_sparkngin() {
  local IFS=$'\\n'
  COMPREPLY=($("\${COMP_WORDS[0]}" ${askingWord} "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _sparkngin sparkngin
`,
  zsh: `#compdef sparkngin
# zsh completion of sparkngin: source <(sparkngin completion zsh), or a file _sparkngin in $fpath
_sparkngin() {
  local -a found
  found=("\${(@f)$("\${words[1]}" ${askingWord} "\${(@)words[2,$CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[1]}" ]]; then compadd -- "\${found[@]}"; else _files; fi
}
if [[ "$funcstack[1]" == _sparkngin ]]; then _sparkngin "$@"; else compdef _sparkngin sparkngin; fi
`,
  fish: `# fish completion of sparkngin: sparkngin completion fish | source
function __sparkngin_complete
  set -l begun (commandline -ct | string collect --allow-empty)
  set -l words (commandline -opc) "$begun"
  set -l found ($words[1] ${askingWord} $words[2..-1] 2>/dev/null)
  if test (count $found) -gt 0
    printf '%s\\n' $found
  else
    __fish_complete_path "$begun"
  end
end
complete -c sparkngin -f -a '(__sparkngin_complete)'
`,
};

export function printCompletion(terminal: Terminal, shell: string): ExitCode {
  terminal.out(scripts[shell as (typeof shells)[number]]);
  return exitCodes.ok;
}

/** Prints what may stand where the last of `words` has begun, a line each; nothing where only a file can. */
export async function complete(terminal: Terminal, program: Command, words: readonly string[]): Promise<ExitCode> {
  const begun = words.at(-1) ?? "";
  const found = await candidates(terminal, program, words);
  terminal.out(found.filter((word) => word.startsWith(begun)).map((word) => `${word}\n`).join(""));
  return exitCodes.ok;
}

async function candidates(terminal: Terminal, program: Command, words: readonly string[]): Promise<string[]> {
  const { command, given } = standing(program, words.slice(0, -1));
  const waiting = valueWaiting(command, words.at(-2));
  if (waiting?.long === "--context") return await contexts(terminal);
  if (waiting) return waiting.argChoices ?? [];
  const begun = words.at(-1) ?? "";
  if (begun.startsWith("-")) return [...shown(command).flatMap(({ long }) => long ?? []), "--help"];
  if (command.commands.length > 0) return command.commands.map((one) => one.name());
  const argument = command.registeredArguments[given.length] ??
    command.registeredArguments.find(({ variadic }) => variadic);
  if (argument?.argChoices) return argument.argChoices;
  if (argument?.description === "name of the context") return await contexts(terminal);
  return argument?.description === "name of the destination" ? await destinations(terminal, words) : [];
}

/** The command that the words lead to, and the arguments given to it. */
function standing(program: Command, words: readonly string[]): { command: Command; given: string[] } {
  let command = program;
  let given: string[] = [];
  for (const [at, word] of words.entries()) {
    if (word.startsWith("-") || valueWaiting(command, words[at - 1])) continue;
    const below = command.commands.find((one) => one.name() === word);
    if (below) [command, given] = [below, []];
    else given.push(word);
  }
  return { command, given };
}

/** The option whose value comes next, if `word` is one that takes any. */
function valueWaiting(command: Command, word: string | undefined): Option | undefined {
  if (!word?.startsWith("-")) return undefined;
  return command.options.find((option) => option.required && (option.long === word || option.short === word));
}

function shown(command: Command): Option[] {
  return command.options.filter(({ hidden }) => !hidden);
}

/** Nobody who presses a key waits long, or wants to read why there are none. */
async function destinations(terminal: Terminal, words: readonly string[]): Promise<string[]> {
  const valueOf = (option: string) => words[words.indexOf(option) + 1 || words.length];
  return await silently(async () => {
    const { chooseContext } = await import("./context.ts");
    const url = valueOf("--url");
    if (url === undefined) terminal.context = chooseContext(terminal, valueOf("--context"));
    return (await askStatus(terminal, url, 1000)).destinations.map(({ name }) => name);
  });
}

async function contexts(terminal: Terminal): Promise<string[]> {
  return await silently(async () => (await import("./context.ts")).contextNames(terminal));
}

async function silently(look: () => Promise<string[]>): Promise<string[]> {
  try {
    return await look();
  } catch (problem) {
    if (problem instanceof CommandError) return [];
    throw problem;
  }
}
