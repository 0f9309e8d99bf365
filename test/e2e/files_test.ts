/** What others read of the files: with the programs that people have for that. */
import assert from "node:assert";
import { Connection, postRequest } from "./connection.ts";
import { launchNode, makeTempDir } from "./node.ts";
import { eventually } from "./waiting.ts";

const unpackers = { gzip: ["gzip", ".gz"], zstd: ["zstd", ".zst"] } as const;

for (const [compression, [program, ending]] of Object.entries(unpackers)) {
  const there = await isThere(program);
  const needs = there ? "" : ` (needs ${program})`;
  Deno.test({
    name:
      `M4 4.3 ${program} -dc reads ${compression} files to the end, and each message is in them once, over kill -9${needs}`,
    ignore: !there,
    fn: async () => {
      await using home = await makeTempDir();
      const config = `[[destination]]\nname = "out"\nkind = "file"\ncompression = "${compression}"\n`;
      let sent = 0;
      for (let life = 0; life < 3; life++) {
        await using node = await (await launchNode({ dir: home.path, config })).ready();
        using connection = await Connection.open(node.http);
        for (const end = sent + 200; sent < end;) {
          const lines = Array.from({ length: 10 }, () => `{"topic":"t","data":${sent++}}\n`).join("");
          const answer = await connection.ask(
            postRequest("/log", "application/x-ndjson", new TextEncoder().encode(lines)),
          );
          assert.equal(answer.status, 204);
        }
        if (life < 2) node.kill("SIGKILL");
        else {
          await eventually("everything to be delivered", async () => {
            const { destinations } = await (await fetch(`http://${node.management}/status`)).json();
            return destinations[0].pending === 0;
          });
          await node.stop();
        }
      }
      const found = (await unpackAll(`${home.path}/data/out/t`, [program, ending])).map(({ data }) => data);
      assert.deepEqual(found.sort((a, b) => a - b), Array.from({ length: sent }, (_, i) => i));
    },
  });
}

async function isThere(program: string): Promise<boolean> {
  try {
    return (await new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}

async function unpackAll(dir: string, [program, ending]: readonly [string, string]): Promise<{ data: number }[]> {
  const found: { data: number }[] = [];
  for (const day of Deno.readDirSync(dir)) {
    for (const { name } of Deno.readDirSync(`${dir}/${day.name}`)) {
      assert.ok(name.endsWith(`.ndjson${ending}`), name);
      const args = ["-dc", `${dir}/${day.name}/${name}`];
      const { code, stdout, stderr } = await new Deno.Command(program, { args }).output();
      assert.equal(code, 0, new TextDecoder().decode(stderr));
      for (const line of new TextDecoder().decode(stdout).split("\n")) if (line !== "") found.push(JSON.parse(line));
    }
  }
  return found;
}
