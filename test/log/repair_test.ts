import assert from "node:assert/strict";
import { encodeSegmentHeader, parseSegmentName, randomId, segmentName } from "../../src/log/format.ts";
import {
  claimDirectory,
  LocalWatermark,
  mendings,
  openCursor,
  peekMark,
  type Position,
  SegmentWriter,
  verify,
} from "../../src/log/mod.ts";
import { peekCursor } from "../../src/log/cursor.ts";
import { readNumber } from "../../src/log/directory.ts";
import { peekSlots, Slots } from "../../src/log/slots.ts";
import { readOnly } from "../../src/os/read_only.ts";
import { SimWorld } from "../sim/world.ts";
import { filled, type Filling, segmentsOf } from "./filled.ts";
import { commitsOf, imageOf, simWith } from "./trial.ts";

const twelve: Filling = { commits: Array.from({ length: 12 }, () => 2), bytes: 9000, cursors: { bus: 20, out: 24 } };

async function repaired(damage: (sim: SimWorld) => void, more: { filling?: Filling; names?: string[] } = {}) {
  const sim = new SimWorld(1);
  await filled(sim, more.filling ?? twelve);
  damage(sim);
  const planned = mendings(readOnly(sim).files, "data", more.names);
  const files: string[] = [];
  for (let found = planned; found.length > 0; found = mendings(sim.files, "data", more.names)) {
    for (const mending of found) {
      mending.apply(sim);
      files.push(mending.file.replace(/\d*?(\d\d)-[0-9a-f]{16}\.seg/, "$1.seg"));
    }
    assert.ok(files.length < 20, "repair comes to no end");
  }
  const left = verify(readOnly(sim).files, "data").findings.filter(({ severity }) => severity === "damage");
  return { sim, files, left, aside: sim.filesUnder("data/quarantine").length, text: planned.map(({ text }) => text) };
}

/** A node starts on it, and takes a message behind all that was there. */
async function starts(sim: SimWorld): Promise<number> {
  const world = sim.boot();
  const node = claimDirectory(world, "data", "a test");
  const options = {
    segmentBytes: 65_536,
    reserveBytes: 0,
    recycle: false,
    destinations: () => new Map(),
    report: () => {},
  };
  const writer = new SegmentWriter(world, "data", node, new LocalWatermark(), options);
  const position = writer.append(new Uint8Array(10), 1);
  await sim.run(writer.durable());
  return position;
}

Deno.test("M3.5 repair has nothing to do where nothing is damaged", async () => {
  const { files, aside } = await repaired(() => {});
  assert.deepEqual([files, aside], [[], 0]);
});

Deno.test("M3.5 what repair plans changes nothing until it is applied", async () => {
  const sim = new SimWorld(1);
  await filled(sim, twelve);
  for (const path of ["data/node", "data/mark", "data/epoch", "data/cursors/bus"]) sim.truncateFile(path, 0);
  const before = sim.filesUnder("data").map((path) => [path, sim.fileBytes(path)]);
  assert.equal(mendings(readOnly(sim).files, "data").length, 4);
  assert.deepEqual(sim.filesUnder("data").map((path) => [path, sim.fileBytes(path)]), before);
});

Deno.test("P9 lost small files are rebuilt from the segments, and what stood there is kept aside", async () => {
  for (const file of ["node", "mark", "epoch"]) {
    const { files, left, aside, sim } = await repaired((sim) => sim.truncateFile(`data/${file}`, 1));
    assert.deepEqual([files, left], [[file], []]);
    assert.ok(aside >= 1);
    assert.equal(await starts(sim), 24);
  }
});

Deno.test("P9 a lost cursor goes on from where the mark remembers it, another from the oldest message", async () => {
  const remembered = await repaired((sim) => sim.truncateFile("data/cursors/bus", 5));
  assert.deepEqual([remembered.files, remembered.left], [["cursors/bus"], []]);
  assert.equal(peekCursor(remembered.sim.files, "data", "bus")!.position, 20);
  const forgotten = await repaired((sim) => {
    sim.truncateFile("data/mark", 0);
    sim.truncateFile("data/cursors/bus", 5);
  });
  assert.deepEqual(forgotten.files, ["mark", "cursors/bus"]);
  assert.equal(peekCursor(forgotten.sim.files, "data", "bus")!.position, 0);
});

Deno.test("P9 a cursor that is gone altogether is rebuilt for a destination that is known to exist", async () => {
  const remove = (sim: SimWorld) => sim.files.remove("data/cursors/bus");
  assert.deepEqual((await repaired(remove)).files, []);
  const { files, sim } = await repaired(remove, { names: ["bus", "out", "new"] });
  assert.deepEqual(files, ["cursors/bus"]);
  assert.equal(peekCursor(sim.files, "data", "bus")!.position, 20);
  assert.equal(peekCursor(sim.files, "data", "new"), undefined);
});

Deno.test("a cursor of another node is replaced by one of this", async () => {
  const { files, left } = await repaired((sim) => {
    const nowhere = 0 as Position;
    openCursor(sim, "data", "else", "00000000deadbeef", { fresh: nowhere, lost: nowhere }).close();
  });
  assert.deepEqual([files, left], [["cursors/else"], []]);
});

Deno.test("P8 a torn tail is cut off after it was copied", async () => {
  const filling: Filling = { commits: [2, 2], cursors: {}, stepMs: 0, killed: true };
  const tear = (sim: SimWorld) => {
    const [path] = segmentsOf(sim);
    sim.flipByte(path!, sim.fileBytes(path!).findLastIndex((byte) => byte !== 0));
  };
  const { files, sim, left } = await repaired(tear, { filling });
  assert.deepEqual([files, left], [["log/00.seg", "mark"], []]);
  const kept = sim.filesUnder("data/quarantine").find((path) => path.includes(".seg-"))!;
  const size = sim.fileBytes(segmentsOf(sim)[0]!).length;
  assert.ok(kept.includes(`.seg-${size}-`), kept);
  assert.equal(await starts(sim), 2);
});

Deno.test("another node's segment is moved aside, and a start that refused it goes on", async () => {
  const stray = (sim: SimWorld) => {
    const id = randomId(sim.random);
    const header = { node: "00000000deadbeef", segment: id, base: 24 as Position, epoch: 1, sequence: 1, created: 0 };
    sim.writeFile(`data/log/${segmentName(24, id)}`, encodeSegmentHeader(header));
  };
  const sim = new SimWorld(1);
  await filled(sim, twelve);
  stray(sim);
  await assert.rejects(starts(sim), /its head says node 00000000deadbeef/);
  const mended = await repaired(stray);
  assert.deepEqual([mended.files, mended.left, mended.aside], [["log/24.seg"], [], 1]);
  assert.equal(await starts(mended.sim), 24);
});

Deno.test("a segment under a wrong name gets its name back", async () => {
  const { files, left } = await repaired((sim) => {
    const path = segmentsOf(sim)[3]!;
    const { base, segment } = parseSegmentName(path.slice("data/log/".length))!;
    sim.files.rename(path, `data/log/${segmentName(base + 1, segment)}`);
  });
  assert.deepEqual([files, left], [["log/19.seg"], []]);
});

Deno.test("missing oldest segments are given up, and said so", async () => {
  const { files, left, text } = await repaired((sim) => sim.files.remove(segmentsOf(sim)[0]!));
  assert.deepEqual([files, left], [["low"], []]);
  assert.match(text[0]!, /messages 0 to 5 are given up/);
});

Deno.test("P9 damaged messages stay as they are, for destinations to count", async () => {
  const { files, left, sim } = await repaired((sim) => sim.flipByte(segmentsOf(sim)[1]!, 4096 + 5000));
  assert.deepEqual([files, left.length], [[], 1]);
  assert.equal(await starts(sim), 24);
});

Deno.test("the log of dead letters is mended, too", async () => {
  const sim = new SimWorld(1);
  await filled(sim, { commits: [1, 1], cursors: {} });
  sim.copyFile("data/node", "data/dead/bus/node");
  await filled(sim, { dir: "data/dead/bus", commits: [1, 1], cursors: {} });
  sim.truncateFile("data/dead/bus/mark", 0);
  const found = mendings(readOnly(sim).files, "data");
  assert.deepEqual(found.map(({ file }) => file), ["dead/bus/mark"]);
});

Deno.test("a repair that is cut off anywhere can be done again", async () => {
  for (let call = 1;; call++) {
    const sim = new SimWorld(call);
    await filled(sim, { commits: [2, 2], cursors: { bus: 2 }, stepMs: 0, killed: true });
    const [path] = segmentsOf(sim);
    sim.flipByte(path!, sim.fileBytes(path!).findLastIndex((byte) => byte !== 0));
    for (const file of ["data/node", "data/mark", "data/epoch", "data/cursors/bus"]) sim.truncateFile(file, 1);
    sim.stopAt(call);
    const world = sim.boot();
    try {
      for (const mending of mendings(world.files, "data")) mending.apply(world);
    } catch {
      // The power is gone.
    }
    const done = !sim.stopped;
    sim.cutPower();
    for (const mending of mendings(sim.files, "data")) mending.apply(sim);
    const left = verify(readOnly(sim).files, "data").findings.filter(({ severity }) => severity === "damage");
    assert.deepEqual(left, [], `call ${call}`);
    if (done) return;
  }
});

/** The last commit loses its last byte. */
function tear(sim: SimWorld, dir = "data"): void {
  const path = segmentsOf(sim, dir).at(-1)!;
  sim.flipByte(path, sim.fileBytes(path).findLastIndex((byte) => byte !== 0));
}
function mendAll(sim: SimWorld): void {
  for (const mending of mendings(sim.files, "data")) mending.apply(sim);
}
/** What `damage` did to a file, and what repair kept of it in the quarantine, under which name. */
async function kept(
  file: string,
  damage: (sim: SimWorld) => void,
): Promise<{ names: string[]; before: Uint8Array; copy: Uint8Array }> {
  const sim = new SimWorld(1);
  await filled(sim, twelve);
  damage(sim);
  const before = sim.fileBytes(`data/${file}`);
  mendAll(sim);
  const names = sim.filesUnder("data/quarantine").filter((path) => /-\d+-[0-9a-f]{8}\.bad$/.test(path));
  assert.equal(sim.openHandles, 0, "no file is left open");
  return { names, before, copy: sim.fileBytes(names[0]!) };
}

Deno.test("P9 whatever repair writes anew is first kept whole, under the name that FORMAT.md gives", async () => {
  for (const file of ["node", "mark", "epoch", "cursors/bus"]) {
    const { names, before, copy } = await kept(file, (sim) => sim.writeFile(`data/${file}`, new Uint8Array([9, 8, 7])));
    assert.match(names.join(), new RegExp(`^data/quarantine/${file.replace(/.*\//, "")}-0-[0-9a-f]{8}\\.bad$`));
    assert.deepEqual(copy, before);
  }
});

Deno.test("P9 what is cut off is kept from the byte where it is cut, and the cut is durable", async () => {
  for (let seed = 0; seed < 8; seed++) {
    const sim = new SimWorld(seed);
    await filled(sim, { ...twelve, commits: [...twelve.commits!, 2], stepMs: 0, killed: true });
    tear(sim);
    const path = segmentsOf(sim).at(-1)!;
    const before = sim.fileBytes(path);
    const [tail] = mendings(sim.files, "data");
    const at = Number(/at byte (\d+):/.exec(tail!.text)![1]);
    assert.match(tail!.text, new RegExp(`\\(${before.length - at} bytes\\)`));
    tail!.apply(sim);
    assert.equal(sim.openHandles, 0);
    sim.cutPower();
    assert.deepEqual(sim.fileBytes(path), before.subarray(0, at));
    const copy = sim.filesUnder("data/quarantine").find((name) => name.includes(`.seg-${at}-`))!;
    assert.deepEqual(sim.fileBytes(copy), before.subarray(at));
  }
});

/** A directory without the place for what is set aside. */
async function withoutQuarantine(damage: (sim: SimWorld) => void): Promise<(seed: number) => SimWorld> {
  const source = new SimWorld(1);
  await filled(source, { commits: [1], cursors: { bus: 1 } });
  damage(source);
  const image = imageOf(source);
  return (seed) => simWith(image, seed);
}
/** Cuts the power after each call of the first mending. */
function cutEverywhere(make: (seed: number) => SimWorld, check: (sim: SimWorld, where: string) => void): void {
  for (let call = 1, done = false; !done; call++) {
    for (let seed = 0; seed < 10; seed++) {
      const sim = make(seed);
      const [mending] = mendings(sim.files, "data");
      sim.stopAt(call);
      try {
        mending!.apply(sim.boot());
      } catch (problem) {
        if (!sim.stopped) throw problem;
      }
      done = !sim.stopped;
      sim.cutPower();
      check(sim, `seed ${seed}, call ${call}`);
    }
  }
}

Deno.test("P9 a copy is durable before anything is changed, even where there was no quarantine yet", async () => {
  for (const file of ["node", "mark", "epoch", "cursors/bus"]) {
    const path = `data/${file}`;
    const make = await withoutQuarantine((sim) => sim.writeFile(path, new Uint8Array(8192).fill(5)));
    cutEverywhere(make, (sim, where) => {
      const copies = sim.filesUnder("data/quarantine").filter((path) => path.endsWith(".bad"));
      const isWhole = (path: string) =>
        sim.fileBytes(path).length === 8192 && sim.fileBytes(path).every((byte) => byte === 5);
      assert.ok(isWhole(path) || copies.some(isWhole), `${file}, ${where}`);
    });
  }
});

Deno.test("P9 a file that is moved to the quarantine is there or where it was, even where there was none yet", async () => {
  const id = "00000000000000aa";
  const header = { node: "00000000deadbeef", segment: id, base: 24 as Position, epoch: 1, sequence: 1, created: 0 };
  const bytes = encodeSegmentHeader(header);
  const make = await withoutQuarantine((sim) => sim.writeFile(`data/log/${segmentName(24, id)}`, bytes));
  cutEverywhere(make, (sim, where) => {
    const places = ["data/log", "data/quarantine"].flatMap((dir) => sim.filesUnder(dir));
    const found = places.filter((path) => path.includes(id));
    assert.ok(found.some((path) => sim.fileBytes(path).length === bytes.length), where);
  });
});

Deno.test("P9 the node's id comes from the cursors where no segment tells, if they agree", async () => {
  const sim = new SimWorld(1);
  await filled(sim, twelve);
  const node = peekCursor(sim.files, "data", "bus")!.node;
  for (const path of [...segmentsOf(sim), "data/node", "data/mark"]) sim.files.remove(path);
  const texts = () => mendings(sim.files, "data").filter(({ file }) => file === "node").map(({ text }) => text);
  assert.deepEqual(texts(), [`it is written anew: ${node}, as the cursors say`]);
  const nowhere = 0 as Position;
  openCursor(sim, "data", "else", "00000000deadbeef", { fresh: nowhere, lost: nowhere }).close();
  assert.deepEqual(texts(), [], "they do not agree");
  for (const path of sim.filesUnder("data/cursors")) sim.files.remove(path);
  assert.deepEqual(mendings(sim.files, "data"), [], "there is nothing to go by");
});

Deno.test("P9 the node's id comes from the segments, and repair says so", async () => {
  const { text } = await repaired((sim) => sim.files.remove("data/node"));
  assert.match(text[0]!, /^it is written anew: [0-9a-f]{16}, as the segments say$/);
});

/** A log to which `put` added files, mended and then cut from power; what its directories hold. */
async function strayed(put: (sim: SimWorld) => void, seed: number) {
  const sim = new SimWorld(seed);
  await filled(sim, twelve);
  put(sim);
  const found = mendings(sim.files, "data");
  for (const mending of found) mending.apply(sim);
  sim.cutPower();
  const names = (dir: string) => sim.filesUnder(dir).map((path) => path.slice(path.lastIndexOf("/") + 1));
  return {
    text: found.map(({ text }) => text),
    log: names("data/log"),
    aside: names("data/quarantine"),
    segments: segmentsOf(sim),
  };
}

Deno.test("P9 a segment is under its right name, or in the quarantine, for good", async () => {
  const foreign = segmentName(24, "00000000000000aa");
  const header = {
    node: "00000000deadbeef",
    segment: "00000000000000aa",
    base: 24 as Position,
    epoch: 1,
    sequence: 1,
    created: 0,
  };
  for (let seed = 0; seed < 8; seed++) {
    const other = await strayed((sim) => sim.writeFile(`data/log/${foreign}`, encodeSegmentHeader(header)), seed);
    assert.deepEqual(other.text, ["another node's: it is moved to quarantine/"]);
    assert.match(other.aside.join(), new RegExp(`^${foreign}-[0-9a-f]{8}\\.bad$`));
    assert.ok(!other.log.includes(foreign));
    const copied = await strayed(
      (sim) => sim.copyFile(segmentsOf(sim)[0]!, `data/log/${segmentName(25, "00000000000000bb")}`),
      seed,
    );
    assert.deepEqual(copied.text, ["a copy: it is moved to quarantine/"]);
    assert.match(copied.aside.join(), /^0{18}25-00000000000000bb\.seg-[0-9a-f]{8}\.bad$/);
    let right = "";
    const renamed = await strayed((sim) => {
      right = segmentsOf(sim)[3]!.slice("data/log/".length);
      sim.files.rename(`data/log/${right}`, `data/log/${segmentName(99, right.slice(-20, -4))}`);
    }, seed);
    assert.deepEqual(renamed.text, [`it gets its name back: ${right}`]);
    assert.ok(renamed.log.includes(right));
  }
});

Deno.test("P9 what repair changes in a log of dead letters is kept in the directory's own quarantine", async () => {
  const sim = new SimWorld(1);
  await filled(sim, { commits: [1, 1], cursors: {} });
  sim.copyFile("data/node", "data/dead/bus/node");
  await filled(sim, { dir: "data/dead/bus", commits: [2, 2], cursors: {}, stepMs: 0, killed: true });
  tear(sim, "data/dead/bus");
  sim.truncateFile("data/dead/bus/epoch", 1);
  assert.deepEqual(mendings(sim.files, "data").map(({ file }) => file.replace(/\d+-[0-9a-f]{16}/, "*")), [
    "dead/bus/log/*.seg",
    "dead/bus/epoch",
    "dead/bus/mark",
  ]);
  mendAll(sim);
  const names = sim.filesUnder("data/quarantine").map((path) =>
    path.replace(/.*\//, "").replace(/-[0-9a-f]{16}|^0+/g, "")
  );
  assert.ok(names.some((name) => /^epoch-0-/.test(name)), names.join());
  assert.ok(names.some((name) => /\.seg-\d+-/.test(name)), names.join());
  assert.deepEqual(sim.filesUnder("data/dead/bus/quarantine").filter((path) => path.includes("-0-")), []);
});

Deno.test("P11 a mark that is written anew goes as far as the last commit but one of the last segment", async () => {
  const sim = new SimWorld(1);
  await filled(sim, { ...twelve, cursors: { bus: 20 } });
  sim.truncateFile("data/mark", 0);
  const [before, last] = commitsOf(sim).slice(-2);
  const [mending] = mendings(sim.files, "data");
  assert.equal(mending!.text, "it is written anew: the log was durable up to 22 at least");
  mending!.apply(sim);
  const { destinations, ...mark } = peekMark(sim.files, "data")!;
  const segment = last!.path.slice(-20, -4);
  assert.deepEqual(mark, { position: 22, segment, offset: last!.offset, chain: before!.header.crc });
  assert.deepEqual([...destinations.values()], [20]);
});

Deno.test("the epoch is written anew only where segments tell a later one", async () => {
  const sim = new SimWorld(1);
  await filled(sim, { commits: [], cursors: {} });
  for (const path of [...segmentsOf(sim), "data/epoch"]) if (sim.files.exists(path)) sim.files.remove(path);
  assert.deepEqual(mendings(sim.files, "data").filter(({ file }) => file === "epoch"), []);
  const silent = await repaired((sim) => {
    for (const path of segmentsOf(sim)) sim.flipByte(path, 40);
    sim.truncateFile("data/epoch", 0);
  });
  assert.ok(!silent.files.includes("epoch"), "no head tells");
});

Deno.test("where the log begins is written anew when its file is damaged", async () => {
  const { files, text, sim } = await repaired((sim) => {
    sim.files.remove(segmentsOf(sim)[0]!);
    sim.writeFile("data/low", new Uint8Array([1]));
  });
  assert.deepEqual([files, text], [["low"], [
    "it is written anew: 6, where the log begins; messages 0 to 5 are given up",
  ]]);
  assert.equal(readNumber(sim.files, "data/low"), 6);
});

Deno.test("M3.5 a damaged low-water mark is mended once, also where the log begins with its first message", async () => {
  const { files, text, left, sim } = await repaired((sim) => sim.writeFile("data/low", new Uint8Array([1])));
  assert.deepEqual([files, text, left], [["low"], ["it is written anew: 0, where the log begins"], []]);
  assert.deepEqual(mendings(readOnly(sim).files, "data"), []);
  await starts(sim);
});

Deno.test("P9 a lost cursor that no mark remembers begins with the oldest message that is left", async () => {
  const { sim } = await repaired((sim) => {
    sim.files.remove(segmentsOf(sim)[0]!);
    sim.files.remove("data/mark");
    sim.truncateFile("data/cursors/bus", 5);
  });
  assert.equal(peekCursor(sim.files, "data", "bus")!.position, 6);
});

Deno.test("P2 a cursor whose counts do not add up begins a new generation where it stands", async () => {
  const { sim, files, left, text } = await repaired((sim) => {
    const payload = peekSlots(sim.files, "data/cursors/bus")!;
    payload[16]! += 1; // where the generation began
    const { slots } = Slots.open(sim.files, "data/cursors", "bus");
    slots.put(payload);
    slots.close();
  });
  assert.deepEqual([files, left], [["cursors/bus"], []]);
  assert.match(text[0]!, /^its counts do not add up: .* at 20$/);
  const { generation, start, position, counts } = peekCursor(sim.files, "data", "bus")!;
  assert.deepEqual([generation, start, position, counts.taken], [2, 20, 20, 0]);
  assert.match(sim.filesUnder("data/quarantine").join(), /bus-0-[0-9a-f]{8}\.bad/);
  assert.equal(sim.openHandles, 0);
});
