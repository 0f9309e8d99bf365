/** The completion scripts in their shells. */
import assert from "node:assert";
import { findProgram } from "./executable.ts";
import { makeTempDir } from "./node.ts";

const asked: Readonly<Record<string, string>> = {
  bash: `source <(sparkngin completion bash)
COMP_WORDS=(sparkngin destination p) COMP_CWORD=2
_sparkngin
printf '%s\\n' "\${COMPREPLY[@]}"`,
  // Not in its line editor: what it would hand to that is printed.
  zsh: `compdef() { :; }
source <(sparkngin completion zsh)
compadd() { shift; print -l -- "$@"; }
words=(sparkngin destination p) CURRENT=3
_sparkngin`,
  fish: `sparkngin completion fish | source
complete -C "sparkngin destination p"`,
};

for (const [shell, script] of Object.entries(asked)) {
  const isThere = await new Deno.Command(shell, { args: ["-c", "exit 0"] }).output().then(() => true, () => false);
  Deno.test({
    name: `M8.2 ${shell} completes commands${isThere ? "" : ` (needs ${shell})`}`,
    ignore: !isThere,
    async fn() {
      await using dir = await makeTempDir();
      const { command, args, env } = await findProgram();
      const words = [command, ...args].map((word) => `'${word}'`).join(" ");
      await Deno.writeTextFile(`${dir.path}/sparkngin`, `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
      const { stdout, stderr } = await new Deno.Command(shell, {
        args: ["-c", script],
        env: { ...env, PATH: `${dir.path}:${Deno.env.get("PATH")}`, HOME: dir.path },
      }).output();
      const text = new TextDecoder();
      assert.deepStrictEqual(text.decode(stdout).trim().split("\n"), ["pause"], text.decode(stderr));
    },
  });
}
