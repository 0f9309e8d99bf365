/** The first minutes with Sparkngin, as the greeting and the README tell them. */
import assert from "node:assert";
import { startNode } from "./node.ts";
import { arrived } from "./output.ts";
import { eventually } from "./waiting.ts";

const missing = ["bash", "curl"].filter((tool) => !isInstalled(tool)).join(", ");

Deno.test("M1: without configuration, the pasted curl of the greeting arrives in data/out", async () => {
  await using node = await startNode();
  const url = await eventually("the greeting", () => /curl -i '([^']+)'/.exec(node.stdout())?.[1]);
  const answer = await fetch(url);
  assert.equal(answer.status, 204);
  assert.equal(answer.headers.get("sparkngin-ack"), "disk");
  const [message] = await arrived(`${node.dir}/data/out`, "hello");
  assert.equal(message!.data, '{"name":"world"}');
  assert.equal(message!.fields.level, "info");
});

for (const [page, config] of [["README.md", ""], ["docs/sending.md", '[http]\nbad_topic = "bad"\n']] as const) {
  Deno.test({
    name: `M1: every curl of ${page} is answered with 2xx${missing && ` (needs ${missing})`}`,
    ignore: missing !== "",
    async fn() {
      await using node = await startNode({ config });
      await Deno.writeTextFile(`${node.dir}/picture.png`, "\x89PNG");
      const text = await Deno.readTextFile(new URL(`../../${page}`, import.meta.url));
      const commands = text.match(/(?<=^(\$ )?)curl .*localhost:8080.*$/gm) ?? [];
      assert.ok(commands.length > 3);
      for (const command of commands) {
        assert.match(await carryOut(command.replaceAll("localhost:8080", node.http), node.dir), /^2\d\d$/, command);
      }
    },
  });
}

/** The status with which a command of curl is answered. */
async function carryOut(command: string, cwd: string): Promise<string> {
  const args = ["-c", `${command} -sS -o /dev/null -w '%{http_code}'`];
  const { stdout, stderr } = await new Deno.Command("bash", { args, cwd }).output();
  return new TextDecoder().decode(stdout) || new TextDecoder().decode(stderr);
}

function isInstalled(tool: string): boolean {
  return new Deno.Command("sh", { args: ["-c", `command -v ${tool}`], stdout: "null" }).outputSync().success;
}
