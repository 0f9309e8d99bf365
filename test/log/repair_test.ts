import assert from "node:assert/strict";
import { encodeSegmentHeader, parseSegmentName, randomId, segmentName } from "../../src/log/format.ts";
import {
  claimDirectory,
  LocalWatermark,
  mendings,
  openCursor,
  type Position,
  SegmentWriter,
  verify,
} from "../../src/log/mod.ts";
import { peekCursor } from "../../src/log/cursor.ts";
import { readOnly } from "../../src/os/read_only.ts";
import { SimWorld } from "../sim/world.ts";
import { filled, type Filling, segmentsOf } from "./filled.ts";

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
