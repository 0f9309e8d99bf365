/** The table of what holds names tests that exist. */
import assert from "node:assert";

const root = new URL("..", import.meta.url).pathname;

/** Texts of all tests, in which names stand as they are written. */
async function sources(dir: string): Promise<string> {
  let text = "";
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    if (isDirectory) text += await sources(`${dir}/${name}`);
    else if (name.endsWith("_test.ts")) text += await Deno.readTextFile(`${dir}/${name}`);
  }
  return text;
}

Deno.test("each test that docs/security.md names is there, and no requirement stands twice", async () => {
  const document = await Deno.readTextFile(`${root}docs/security.md`);
  const all = await sources(`${root}test`);
  const rows = document.split("\n").filter((line) => /^\| \d/.test(line)).map((line) => line.split(" | "));
  const held = rows.filter((row) => row.length === 3);
  assert.ok(held.length > 40);
  for (const [ids, , test] of held) {
    const name = /`(.+)`/.exec(test!)?.[1];
    if (name === undefined) assert.match(test!, /^by hand/, ids);
    else assert.ok(['"', "`"].some((quote) => all.includes(`${quote}${name}`)), `${ids}: there is no test "${name}"`);
  }
  const ids = rows.flatMap(([ids]) => ids!.replace("| ", "").split(", "));
  for (const id of ids) assert.match(id, /^\d{1,2}\.\d{1,2}\.\d{1,2}$/);
  assert.equal(new Set(ids).size, ids.length);
});
