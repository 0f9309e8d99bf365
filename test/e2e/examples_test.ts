/**
 * Every example of README, guide and manual that can run is run, word for word, in a shell, in the order it is written; a node of
 * its own listens where the examples say. What cannot run here is marked where it stands, with the reason.
 */
import assert from "node:assert";
import { findProgram } from "./executable.ts";
import { makeTempDir, startNode } from "./node.ts";
import { pause } from "./waiting.ts";

const root = new URL("../../", import.meta.url).pathname;

interface Example {
  readonly where: string;
  readonly command: string;
}

/** The lines after "$ " of the console blocks that are not marked. */
function inMarkdown(path: string): Example[] {
  const text = Deno.readTextFileSync(root + path);
  const blocks = text.matchAll(/(<!-- not run: [^\n]* -->\n)?```console\n([\s\S]*?)```/g);
  return [...blocks].flatMap(([, mark, block]) => mark ? [] : commandsIn(block!, path));
}

/** The same of a page of the manual: `.Dl` and literal displays; a comment with the reason marks one that is not run. */
function inManual(name: string): Example[] {
  const text = Deno.readTextFileSync(`${root}man/${name}`);
  const displays = text.matchAll(/(\.\\" not run: [^\n]*\n)?(?:\.Bd -literal[^\n]*\n([\s\S]*?)\.Ed|\.Dl (\$ [^\n]*))/g);
  return [...displays].flatMap(([, mark, block, line]) => {
    const plain = (block ?? line!).replaceAll("\\(aq", "'").replaceAll("\\(ti", "~").replaceAll("\\e", "\\").replaceAll(
      "\\&",
      "",
    );
    return mark ? [] : commandsIn(plain, name);
  });
}

/** What the examples speak of. */
const config = ["bus", "es", "out"].map((name) =>
  `[[destination]]\nname = "${name}"\nkind = "file"\ndir = "data/${name}"\n`
)
  .join("");
const files = { "orders.ndjson": '{"data":1}\n', ".zfunc/x": "", ".config/fish/completions/x": "" };

function commandsIn(block: string, where: string): Example[] {
  const lines = block.replace(/\\\n\s*/g, "").split("\n").filter((line) => line.startsWith("$ "));
  return lines.map((line) => ({ where, command: line.slice(2) }));
}

const pages = [...Deno.readDirSync(`${root}man`)].map(({ name }) => name).filter((name) => /\.[1-8]$/.test(name))
  .sort();
const sources: [string, Example[]][] = [
  ["README.md", inMarkdown("README.md")],
  ["docs/guide.md", inMarkdown("docs/guide.md")],
  ...pages.map((name): [string, Example[]] => [`man/${name}`, inManual(name)]),
];
const missing = ["bash", "curl", "jq"].filter((tool) => !isInstalled(tool)).join(", ");

/** Only one node listens on an address: the examples find theirs elsewhere. */
function placed(command: string, { http, management }: { readonly http: string; readonly management: string }): string {
  return command.replace(/(127\.0\.0\.1|localhost|host):8080/g, http).replace(
    /(127\.0\.0\.1|localhost):8081/g,
    management,
  )
    .replace("/var/lib/sparkngin", "data");
}

Deno.test("M8.2 README, guide and manual have examples to run", () => {
  for (const name of ["README.md", "docs/guide.md", "man/sparkngin.1"]) {
    assert.ok(sources.find(([source]) => source === name)![1].length > 0, name);
  }
});

for (const [name, examples] of sources) {
  if (examples.length === 0) continue;
  Deno.test({
    name: `M8.2 the examples of ${name} run${missing && ` (needs ${missing})`}`,
    ignore: missing !== "",
    async fn() {
      await using bin = await makeTempDir();
      const { command, args, env } = await findProgram();
      const words = [command, ...args].map((word) => `'${word}'`).join(" ");
      // What starts a server has one already.
      const script = `#!/bin/sh\nif [ "$1" = run ]; then exit 0; fi\nexec ${words} "$@"\n`;
      await Deno.writeTextFile(`${bin.path}/sparkngin`, script, { mode: 0o755 });
      await using dir = await makeTempDir();
      for (const [path, text] of Object.entries(files)) {
        await Deno.mkdir(`${dir.path}/${path}`.replace(/[^/]+$/, ""), { recursive: true });
        await Deno.writeTextFile(`${dir.path}/${path}`, text);
      }
      // Not in a file of the usual name: that one is for the reader to make.
      await Deno.writeTextFile(`${dir.path}/destinations.toml`, config);
      await using node = await startNode({ dir: dir.path, args: ["--config", "destinations.toml"] });
      const options = {
        cwd: dir.path,
        env: {
          ...env,
          PATH: `${bin.path}:${Deno.env.get("PATH")}`,
          HOME: dir.path,
          KEY: "x",
          SPARKNGIN_URL: node.management,
          SPARKNGIN_SEND_URL: node.http,
        },
      };
      for (const { command, where } of examples) {
        const args = ["-o", "pipefail", "-c", placed(command, node)];
        // What a destination writes is there a moment later.
        for (let tries = 1;; tries++) {
          const { code, stderr } = await new Deno.Command("bash", { args, ...options }).output();
          if (code === 0) break;
          assert.ok(tries < 20, `${where}: ${command}\n${new TextDecoder().decode(stderr)}`);
          await pause(250);
        }
      }
    },
  });
}

function isInstalled(tool: string): boolean {
  return new Deno.Command("sh", { args: ["-c", `command -v ${tool}`], stdout: "null" }).outputSync().success;
}
