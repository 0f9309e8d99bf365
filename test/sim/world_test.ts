import assert from "node:assert/strict";
import { codeOf, type OpenFile, readWhole, replaceFile } from "../../src/os/world.ts";
import { SimWorld } from "./world.ts";

const seeds = Array.from({ length: 200 }, (_, seed) => seed);
const bytes = (text: string) => new TextEncoder().encode(text);
const textOf = (world: SimWorld, path: string) => new TextDecoder("latin1").decode(world.fileBytes(path));

/** A file whose name and first content are durable. */
function begun(world: SimWorld, content = "old!"): OpenFile {
  world.writeFile("d/f", bytes(content));
  return world.files.open("d/f");
}
/** What `act` and a power cut leave, over many seeds. */
function outcomes(act: (world: SimWorld) => void, look: (world: SimWorld) => string): Set<string> {
  return new Set(seeds.map((seed) => {
    const world = new SimWorld(seed);
    act(world);
    world.cutPower();
    return look(world);
  }));
}
const isCode = (code: string) => (problem: unknown) => codeOf(problem) === code;

Deno.test("an unsynced write may vanish and may stay", () => {
  const left = outcomes((world) => begun(world).write(0, bytes("new!")), (world) => textOf(world, "d/f"));
  assert.ok(left.has("old!") && left.has("new!"));
});

Deno.test("a synced write never vanishes", () => {
  const act = (world: SimWorld) => {
    const file = begun(world);
    file.write(0, bytes("new! and longer"));
    file.sync();
  };
  assert.deepEqual([...outcomes(act, (world) => textOf(world, "d/f"))], ["new! and longer"]);
});

Deno.test("an unsynced write may be torn at sectors and garbled, but only within its own bytes", () => {
  const kinds = outcomes((world) => {
    const file = begun(world, ".".repeat(4096));
    file.write(700, bytes("x".repeat(2000)));
  }, (world) => {
    const text = textOf(world, "d/f");
    assert.equal(text.length, 4096);
    assert.equal(text.slice(0, 700) + text.slice(2700), ".".repeat(2096));
    const inside = text.slice(700, 2700);
    if (/[^.x]/.test(inside)) return "garbled";
    if (!inside.includes("x")) return "dropped";
    if (!inside.includes(".")) return "kept";
    // Borders lie at multiples of 512 only.
    for (let at = 701; at < 2700; at++) if (text[at] !== text[at - 1]) assert.equal(at % 512, 0);
    return "torn";
  });
  assert.deepEqual([...kinds].sort(), ["dropped", "garbled", "kept", "torn"]);
});

Deno.test("the size of an unsynced append goes its own way", () => {
  const left = outcomes((world) => begun(world).write(4, bytes("more")), (world) => textOf(world, "d/f"));
  assert.ok(left.has("old!"), "neither");
  assert.ok(left.has("old!more"), "both");
  assert.ok(left.has("old!\0\0\0\0"), "the size without the bytes");
});

Deno.test("an unsynced truncation may be undone", () => {
  const left = outcomes((world) => begun(world).truncate(2), (world) => textOf(world, "d/f"));
  assert.deepEqual([...left].sort(), ["ol", "old!"]);
});

Deno.test("a created file may vanish unless its directory was synced, even when its bytes were", () => {
  const create = (world: SimWorld) => {
    begun(world);
    const file = world.files.create("d/new");
    file.write(0, bytes("content"));
    file.sync();
  };
  const look = (world: SimWorld) => world.files.exists("d/new") ? textOf(world, "d/new") : "gone";
  assert.deepEqual([...outcomes(create, look)].sort(), ["content", "gone"]);
  const synced = (world: SimWorld) => {
    create(world);
    world.files.syncDir("d");
  };
  assert.deepEqual([...outcomes(synced, look)], ["content"]);
});

Deno.test("a made directory may vanish with what is in it unless its parent was synced", () => {
  const left = outcomes((world) => {
    world.files.makeDir("a/b");
    world.files.create("a/b/f").sync();
    world.files.syncDir("a/b");
    world.files.syncDir("a");
  }, (world) => world.filesUnder("").join());
  assert.deepEqual([...left].sort(), ["", "a/b/f"]);
});

Deno.test("a rename leaves the old name or the new, never both, never neither", () => {
  const left = outcomes((world) => {
    begun(world);
    world.files.rename("d/f", "d/g");
  }, (world) => world.filesUnder("").join());
  assert.deepEqual([...left].sort(), ["d/f", "d/g"]);
});

Deno.test("an unsynced removal may be undone", () => {
  const left = outcomes((world) => {
    begun(world);
    world.files.remove("d/f");
  }, (world) => world.filesUnder("").join());
  assert.deepEqual([...left].sort(), ["", "d/f"]);
});

Deno.test("replaceFile leaves the old content or the new, wherever the power is cut", () => {
  const found = new Set<string>();
  for (const seed of seeds) {
    for (let n = 1; n < 10; n++) {
      const world = new SimWorld(seed);
      begun(world);
      world.stopAt(n);
      let finished = true;
      try {
        replaceFile(world.files, "d/f", bytes("new!"));
      } catch {
        finished = false;
      }
      world.cutPower();
      found.add(textOf(world, "d/f"));
      if (finished) assert.equal(textOf(world, "d/f"), "new!");
    }
  }
  assert.deepEqual([...found].sort(), ["new!", "old!"]);
});

Deno.test("a failed sync is not repaired by the next", () => {
  for (const seed of seeds) {
    const world = new SimWorld(seed);
    const file = begun(world);
    file.write(0, bytes("new!"));
    world.failNth(1, "EIO", { kinds: ["sync"] });
    assert.throws(() => file.sync(), isCode("EIO"));
    file.sync();
    assert.equal(textOf(world, "d/f"), "new!", "the cache still has it");
    world.cutPower();
    assert.equal(textOf(world, "d/f"), "old!");
  }
});

Deno.test("bytes written again after a failed sync are durable after the next", () => {
  for (const seed of seeds) {
    const world = new SimWorld(seed);
    const file = begun(world);
    file.write(0, bytes("new!"));
    world.failNth(1, "EIO", { kinds: ["sync"] });
    assert.throws(() => file.sync(), isCode("EIO"));
    file.write(0, bytes("new!"));
    file.sync();
    world.cutPower();
    assert.equal(textOf(world, "d/f"), "new!");
  }
});

Deno.test("kill -9 keeps what was written, frees locks and closes handles", () => {
  const world = new SimWorld(1);
  const file = begun(world);
  file.write(0, bytes("new!"));
  assert.deepEqual(world.files.lock("d/LOCK", "pid 1"), { held: true });
  assert.deepEqual(world.files.lock("d/LOCK", "pid 2"), { held: false, holder: "pid 1" });
  world.killProcess();
  assert.equal(textOf(world, "d/f"), "new!");
  assert.throws(() => file.read(0, new Uint8Array(1)), isCode("EBADF"));
  assert.deepEqual(world.files.lock("d/LOCK", "pid 2"), { held: true });
});

Deno.test("a program that was started by boot can do nothing after its death", async () => {
  const world = new SimWorld(1);
  const program = world.boot();
  let woken = false;
  program.clock.sleep(5).then(() => woken = true);
  world.cutPower();
  assert.throws(() => program.files.makeDir("d"), isCode("EBADF"));
  await world.run(10);
  assert.equal(woken, false);
  world.boot().files.makeDir("d");
});

Deno.test("the n-th call fails, once or for ever, of all kinds or of some", () => {
  const world = new SimWorld(1);
  const file = begun(world);
  world.failNth(2, "EINTR");
  file.size();
  assert.throws(() => file.size(), isCode("EINTR"));
  file.size();
  world.failNth(1, "EIO", { kinds: ["write"], persistent: true });
  file.size();
  assert.throws(() => file.write(0, bytes("x")), isCode("EIO"));
  assert.throws(() => file.write(0, bytes("x")), isCode("EIO"));
  world.heal();
  file.write(0, bytes("x"));
});

Deno.test("a short write leaves part of its bytes", () => {
  const lengths = seeds.map((seed) => {
    const world = new SimWorld(seed);
    const file = begun(world, "");
    world.failNth(1, "ENOSPC", { short: true });
    assert.throws(() => file.write(0, bytes("12345678")), isCode("ENOSPC"));
    assert.ok("12345678".startsWith(textOf(world, "d/f")));
    return file.size();
  });
  assert.deepEqual([...new Set(lengths)].sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
});

Deno.test("a full disk takes what fits, says so, and has room again after a removal", () => {
  const world = new SimWorld(1);
  world.files.makeDir("d");
  world.capacity = 8192;
  const file = world.files.create("d/f");
  file.write(0, new Uint8Array(5000));
  assert.equal(world.files.space("d"), 0);
  file.write(5000, new Uint8Array(3192));
  assert.throws(() => file.write(8000, new Uint8Array(1000)), isCode("ENOSPC"));
  assert.equal(file.size(), 8192);
  file.close();
  world.files.remove("d/f");
  assert.equal(world.files.space("d"), 8192);
});

Deno.test("room is counted right over a power cut", () => {
  for (const seed of seeds) {
    const world = new SimWorld(seed);
    world.capacity = 100 * 4096;
    const file = begun(world);
    file.write(0, new Uint8Array(20_000));
    world.cutPower();
    const held = world.filesUnder("").reduce((sum, path) => sum + Math.ceil(world.fileBytes(path).length / 4096), 0);
    assert.equal(world.space, (100 - held) * 4096);
  }
});

Deno.test("time passes only when nothing else can run", async () => {
  const { clock, ...world } = new SimWorld(1);
  assert.ok(world);
  const order: string[] = [];
  clock.turn(() => order.push("turn"));
  const late = clock.sleep(20).then(() => order.push(`late ${clock.elapsed()}`));
  clock.sleep(10).then(() => order.push(`soon ${clock.elapsed()}`));
  Promise.resolve().then(() => order.push("callback"));
  await clock.run(late);
  assert.deepEqual(order, ["callback", "turn", "soon 10", "late 20"]);
});

Deno.test("an abort ends a sleep, and a wait that nobody can end is an error", async () => {
  const world = new SimWorld(1);
  const abort = new AbortController();
  const sleep = world.clock.sleep(1000, abort.signal);
  abort.abort();
  await world.run(sleep);
  assert.equal(world.clock.elapsed(), 0);
  await assert.rejects(world.run(new Promise(() => {})), /everybody waits/);
});

Deno.test("the same seed gives the same run", () => {
  const run = (seed: number) => {
    const world = new SimWorld(seed);
    for (let i = 0; i < 20; i++) {
      world.files.makeDir("d");
      if (!world.files.exists(`d/${i}`)) world.files.create(`d/${i}`).write(i, bytes(`${world.random()}`));
      if (i % 7 === 6) world.cutPower();
    }
    return world.filesUnder("").map((path) => `${path} ${readWhole(world.files, path)}`).join("\n");
  };
  assert.equal(run(7), run(7));
  assert.notEqual(run(7), run(8));
});
