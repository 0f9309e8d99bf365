import assert from "node:assert/strict";
import { exitCodes } from "../../src/cli/exit.ts";
import { loadKeys } from "../../src/access/key_file.ts";
import { dir, worldWith } from "../access/keys.ts";
import { SimWorld } from "../sim/world.ts";
import { sparkngin } from "./terminal.ts";

/** The command in a process of its own. */
async function key(world: SimWorld, ...args: string[]) {
  world.killProcess();
  return await sparkngin(["key", ...args, "--data", dir], { world });
}

Deno.test("M1.10 key create prints the key alone, and says that it is shown this once", async () => {
  const world = new SimWorld(1);
  const { code, out, err } = await key(world, "create", "--name", "shop", "--scope", "write");
  assert.match(out, /^sng_[0-9a-f]{12}_[0-9a-f]{64}\n$/);
  const id = out.split("_")[1];
  assert.deepEqual([code, err], [
    0,
    `This is key ${id}. It is shown this once: keep it, and send it as "Authorization: Bearer KEY". ` +
    "It is kept in data/keys, a directory that no server has used yet.\n",
  ]);
  const [kept] = loadKeys(world.files, dir);
  assert.deepEqual([kept!.id, kept!.name, kept!.scopes], [id, "shop", ["write"]]);
  const listed = await key(world, "ls");
  assert.ok(!listed.out.includes(out.split("_")[2]!.trim()) && !listed.out.includes(kept!.digest!));
});

Deno.test("M1.10 key create takes scopes, acknowledgements, a rate and a quota", async () => {
  const world = worldWith();
  const more = ["--ack", "memory, delivered", "--rate", "100/s", "--quota", "5000/day"];
  await key(world, "create", "--name", "a", "--scope", "write:web.*,app", "read", ...more);
  await key(world, "create", "--name", "b", "--scope", "write", "--scope", "admin", "--json");
  await key(world, "create", "--name", "c", "--scope", "write:web.*", "--pixel");
  const [a, b, c] = loadKeys(world.files, dir);
  assert.deepEqual(a!.scopes, ["write:web.*", "write:app", "read"]);
  assert.deepEqual([a!.ack, a!.rate, a!.quota], [["memory", "delivered"], 100, 5000]);
  assert.deepEqual(b!.scopes, ["write", "admin"]);
  assert.match(c!.id, /^snp_/);
});

Deno.test("M1.10 key ls prints a table, or JSON, without secrets", async () => {
  const world = worldWith();
  assert.match((await key(world, "ls")).err, /There are no keys yet: sparkngin key create makes one/);
  const { out: made } = await key(world, "create", "--name", "shop", "--scope", "write:a", "--rate", "5/s", "--json");
  const { out } = await key(world, "ls");
  const { id, key: shown } = JSON.parse(made);
  assert.equal(
    out,
    "id            name  scopes   ack  rate  quota  created\n" +
      `${id}  shop  write:a  -    5/s   -      2026-03-01T12:00:00Z\n`,
  );
  const [listed] = JSON.parse((await key(world, "ls", "--json")).out);
  assert.deepEqual(listed, { id, name: "shop", created: Date.UTC(2026, 2, 1, 12), scopes: ["write:a"], rate: 5 });
  assert.ok(shown.startsWith(`sng_${id}_`));
});

Deno.test("M1.10 key revoke takes one key back, and no other", async () => {
  const world = worldWith();
  const ids: string[] = [];
  for (const name of ["a", "b"]) {
    ids.push(JSON.parse((await key(world, "create", "--name", name, "--scope", "write", "--json")).out).id);
  }
  const { code, out } = await key(world, "revoke", ids[0]!);
  assert.deepEqual([code, out], [0, `${ids[0]} (a) is revoked\n`]);
  assert.deepEqual(loadKeys(world.files, dir).map(({ id }) => id), [ids[1]]);
  const again = await key(world, "revoke", ids[0]!);
  assert.equal(again.code, exitCodes.usage);
  assert.equal(again.err, `There is no key ${ids[0]}; sparkngin key ls prints the ids\n`);
  const secret = `sng_${"0".repeat(12)}_${"1".repeat(64)}`;
  assert.ok(!(await key(world, "revoke", secret)).err.includes(secret));
});

Deno.test("M1.10 a wish that makes no sense is 64, says why and makes nothing", async () => {
  const world = worldWith();
  const wrong: [string[], RegExp][] = [
    [["--scope", "wriet"], /^Cannot make a key: there is no scope "wriet"/],
    [["--scope", "write", "--rate", "5"], /the rate "5" is not written like "100\/s"/],
    [["--scope", "write", "--pixel"], /everybody can see a pixel key/],
    [["--scope"], /there is no scope "--data"/],
    [[], /--scope/],
  ];
  for (const [args, reason] of wrong) {
    const { code, out, err } = await key(world, "create", "--name", "x", ...args);
    assert.deepEqual([code, out], [exitCodes.usage, ""]);
    assert.match(err, reason);
  }
  assert.deepEqual(loadKeys(world.files, dir), []);
});

Deno.test("M1.10 damaged keys are 65 and left as they are; two changes at once are 75", async () => {
  const world = worldWith();
  world.truncateFile(`${dir}/keys`, 5);
  for (const args of [["ls"], ["create", "--name", "x", "--scope", "write"], ["revoke", "000000000000"]]) {
    const { code, err } = await key(world, ...args);
    assert.equal(code, exitCodes.badData);
    assert.match(
      err,
      /the file "keys" in the data directory is damaged .*move the file "keys" aside and make new keys/,
    );
  }
  assert.equal(world.fileBytes(`${dir}/keys`).length, 5);
  const other = worldWith();
  other.files.lock(`${dir}/keys.lock`, "process 12");
  const { code, err } = await sparkngin(["key", "create", "--name", "x", "--scope", "write", "--data", dir], {
    world: other,
  });
  assert.deepEqual([code, err], [exitCodes.locked, "Cannot change the keys: process 12 does so; try again\n"]);
});

Deno.test("M1.10 a key that may not be written is 77", async () => {
  const world = worldWith();
  world.failNth(1, "EACCES", { kinds: ["lock"] });
  const { code } = await key(world, "create", "--name", "x", "--scope", "write");
  assert.equal(code, exitCodes.permission);
});

Deno.test("M1.10 commands that a server refuses for want of a key say where they take it from", async () => {
  const body = JSON.stringify({ detail: "Requests need a key here" });
  for (const status of [401, 403]) {
    const { code, err } = await sparkngin(["status"], { answers: { "/status": { status, body } } });
    assert.equal(code, exitCodes.permission);
    assert.equal(
      err,
      "Cannot ask http://127.0.0.1:8081: Requests need a key here; the key is taken from SPARKNGIN_KEY\n",
    );
  }
});
