import assert from "node:assert/strict";
import { realWorld } from "../../src/os/deno.ts";
import { Spool, SpoolRefused } from "../../src/send/spool.ts";
import { chunk, textOf } from "./lines.ts";

const { files } = realWorld();
const signal = new AbortController().signal;

async function withDir(act: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "sparkngin-test-" });
  try {
    await act(`${dir}/spool`);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
const open = (dir: string, bytesMax = 1 << 20) => new Spool(files, dir, { bytesMax, holder: "a test" });

/** A lock is held for the life of the process. */
const lasting = { sanitizeResources: false };

Deno.test("M6 the spool gives back what it was given, in order", lasting, async () => {
  await withDir(async (dir) => {
    const spool = open(dir);
    const first = await spool.add(chunk(["a", "", "ü"], "lines", "k1"), signal);
    const second = await spool.add(chunk(["b"], "ndjson", "k2"), signal);
    assert.deepEqual(spool.names(), [first, second]);
    const read = spool.read(first)!;
    assert.deepEqual([read.key, read.kind, read.query, textOf(read)], ["k1", "lines", "topic=t", ["a", "", "ü"]]);
    assert.deepEqual(read.lines.map(({ source, number }) => `${source}:${number}`), ["a.log:1", "a.log:2", "a.log:3"]);
    spool.remove(first);
    assert.deepEqual(spool.names(), [second]);
    assert.equal(await spool.add(chunk(["c"]), signal), "00000000000000000002.chunk");
  });
});

Deno.test("a spool that another process uses is refused", lasting, async () => {
  await withDir(async (dir) => {
    open(dir);
    assert.throws(() => open(dir), (problem) => {
      assert.ok(problem instanceof SpoolRefused);
      assert.match(problem.message, /a test uses it; name another$/);
      return true;
    });
  });
});

Deno.test("what is damaged is put aside, and what a crash left half written goes", lasting, async () => {
  await withDir(async (dir) => {
    await Deno.mkdir(dir, { recursive: true });
    for (
      const text of [
        "",
        "{}",
        "{}\n",
        '{"v":1,"key":"k","kind":"lines","query":"","runs":[{"source":"a","number":1,"count":2}]}\na\n',
        "\x00\x00\xff\n",
      ]
    ) {
      const name = `${String(text.length).padStart(20, "0")}.chunk`;
      await Deno.writeTextFile(`${dir}/${name}`, text);
    }
    await Deno.writeTextFile(`${dir}/00000000000000000001.chunk.new`, "x");
    await Deno.writeTextFile(`${dir}/notes.txt`, "x");
    const spool = open(dir);
    const names = spool.names();
    assert.equal(names.length, 5);
    for (const name of names) assert.equal(spool.read(name), undefined);
    assert.equal(spool.count, 0);
    const left = [...Deno.readDirSync(dir)].map(({ name }) => name);
    assert.equal(left.filter((name) => name.endsWith(".damaged")).length, 5);
    assert.ok(left.includes("notes.txt") && !left.some((name) => name.endsWith(".new")));
  });
});

Deno.test("a full spool makes the reader wait until there is room", lasting, async () => {
  await withDir(async (dir) => {
    const spool = open(dir, 250);
    const first = await spool.add(chunk(["a".repeat(100)]), signal);
    let added = false;
    const second = spool.add(chunk(["b".repeat(100)]), signal).then(() => added = true);
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(added, false);
    spool.remove(first);
    await second;
    // Larger than all the room, it goes alone.
    spool.remove(spool.names()[0]!);
    await spool.add(chunk(["c".repeat(1000)]), signal);
  });
});
