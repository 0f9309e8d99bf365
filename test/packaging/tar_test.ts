import assert from "node:assert/strict";
import { makeTar, withParents } from "../../packaging/tar.ts";
import { carryOut } from "../crash/needs.ts";
import { makeTempDir } from "../e2e/node.ts";

const long = `${"d".repeat(60)}/${"e".repeat(60)}/${"f".repeat(60)}`;

Deno.test("what is packed comes out of tar as it went in: contents, rights, owners, links, long names", async () => {
  await using dir = await makeTempDir();
  const bytes = (text: string) => new TextEncoder().encode(text);
  const tar = makeTar(
    withParents([
      { path: "a/run", bytes: bytes("x".repeat(513)), mode: 0o755 },
      { path: "a/kept", mode: 0o750, owner: 65532 },
      { path: "a/link", link: "run" },
      { path: long, bytes: bytes("long") },
    ]),
    1_700_000_000,
  );
  await Deno.writeFile(`${dir.path}/t.tar`, tar);
  const listed = await carryOut("tar", "-tvf", `${dir.path}/t.tar`, "--numeric-owner", "--utc", "--full-time");
  const lines = listed.split("\n").map((line) => line.replace(/\s+/g, " "));
  assert.deepEqual(lines, [
    "drwxr-xr-x 0/0 0 2023-11-14 22:13:20 a/",
    "drwxr-x--- 65532/65532 0 2023-11-14 22:13:20 a/kept/",
    "lrwxr-xr-x 0/0 0 2023-11-14 22:13:20 a/link -> run",
    "-rwxr-xr-x 0/0 513 2023-11-14 22:13:20 a/run",
    `drwxr-xr-x 0/0 0 2023-11-14 22:13:20 ${"d".repeat(60)}/`,
    `drwxr-xr-x 0/0 0 2023-11-14 22:13:20 ${"d".repeat(60)}/${"e".repeat(60)}/`,
    `-rw-r--r-- 0/0 4 2023-11-14 22:13:20 ${long}`,
  ]);
  await carryOut("tar", "-xf", `${dir.path}/t.tar`, "-C", dir.path, "--no-same-owner");
  assert.equal(await Deno.readTextFile(`${dir.path}/${long}`), "long");
  assert.equal((await Deno.readTextFile(`${dir.path}/a/run`)).length, 513);
});

Deno.test("a name that tar has no room for is refused", () => {
  assert.throws(() => makeTar([{ path: "x".repeat(300) }], 0), /name is too long/);
});
