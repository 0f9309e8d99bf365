import assert from "node:assert/strict";
import { encodeSegmentHeader, firstCommitAt, parseSegmentName, randomId, segmentName } from "../../src/log/format.ts";
import { openCursor, type Position, type Verification, verify } from "../../src/log/mod.ts";
import { peekSlots, Slots } from "../../src/log/slots.ts";
import { Segment } from "../../src/log/segment.ts";
import { headers } from "../../src/log/walk.ts";
import { readOnly } from "../../src/os/read_only.ts";
import { SimWorld } from "../sim/world.ts";
import { filled, type Filling, segmentsOf } from "./filled.ts";

/** Four segments of three commits each, of two messages each. */
export const twelve: Filling = {
  commits: Array.from({ length: 12 }, () => 2),
  bytes: 9000,
  cursors: { bus: 20, out: 24 },
};

async function bytesOfCommit(): Promise<number> {
  const sim = new SimWorld(1);
  await filled(sim, twelve);
  const first = Segment.open(sim.files, "data/log", segmentsOf(sim)[0]!.slice("data/log/".length));
  const [, second] = [...headers(first, Infinity)];
  return second!.offset - firstCommitAt;
}

async function verified(damage: (sim: SimWorld) => void = () => {}, filling: Filling = twelve): Promise<Verification> {
  const sim = new SimWorld(1);
  await filled(sim, filling);
  damage(sim);
  return verify(readOnly(sim).files, "data");
}

/** File (without what is by chance in its name), offset, first position and count of each finding. */
function told({ findings }: Verification): string[] {
  return findings.map(({ severity, file, offset, position, count }) =>
    [severity, file.replace(/\d*?(\d\d)-[0-9a-f]{16}\.seg/, "$1.seg"), offset ?? "-", position ?? "-", count].join(" ")
  );
}

/** Each commit of `twelve`. */
const commitBytes = await bytesOfCommit();
const segment = (sim: SimWorld, number: number) => segmentsOf(sim)[number]!;

Deno.test("M3.5 verify finds nothing in a directory that is as it was", async () => {
  const found = await verified();
  assert.deepEqual(told(found), []);
  assert.deepEqual([found.start, found.end, found.lost, found.holder], [0, 24, 0, undefined]);
  const { bytes, ...totals } = found.totals;
  assert.deepEqual(totals, { segments: 4, commits: 12, entries: 12, messages: 24 });
  assert.ok(bytes > 11 * commitBytes);
});

Deno.test("M3.5 verify finds nothing in a directory after a kill, an empty or a young one", async () => {
  assert.deepEqual(told(await verified(undefined, { ...twelve, killed: true })), []);
  assert.deepEqual(told(await verified(undefined, { commits: [] })), []);
  assert.deepEqual(told(await verified(undefined, { commits: [1], stepMs: 0, killed: true })), [
    "note mark - - 0",
  ]);
});

Deno.test("P8 a damaged payload costs its entry, and verify says which messages, in which file, at which byte", async () => {
  const found = await verified((sim) => sim.flipByte(segment(sim, 1), 4096 + commitBytes + 5000));
  assert.deepEqual(told(found), [`damage log/06.seg ${4096 + commitBytes} 8 2`]);
  assert.deepEqual([found.lost, found.totals.messages, found.end], [2, 22, 24]);
});

Deno.test("P8 a damaged commit header costs nothing when its entries are right", async () => {
  const found = await verified((sim) => sim.flipByte(segment(sim, 1), 4096 + 20));
  assert.deepEqual(told(found), ["damage log/06.seg 4096 6 0"]);
  assert.deepEqual([found.lost, found.totals.messages], [0, 24]);
  assert.match(found.findings[0]!.text, /no message is lost/);
});

Deno.test("P8 a damaged segment header costs nothing", async () => {
  const found = await verified((sim) => sim.flipByte(segment(sim, 1), 40));
  assert.deepEqual(told(found), ["damage log/06.seg 0 - 0"]);
  assert.deepEqual([found.lost, found.totals.messages], [0, 24]);
});

Deno.test("every flipped bit of a commit is found", async () => {
  const sim = new SimWorld(1);
  await filled(sim, { commits: [1, 1], cursors: {} });
  const end = 4096 + 48 + 12 + 100;
  for (let at = 4096; at < end; at++) {
    sim.flipByte(segment(sim, 0), at, at % 8);
    assert.ok(told(verify(readOnly(sim).files, "data")).some((line) => line.startsWith("damage log/")), `byte ${at}`);
    sim.flipByte(segment(sim, 0), at, at % 8);
  }
  assert.deepEqual(told(verify(readOnly(sim).files, "data")), []);
});

Deno.test("P8 a missing segment is told with the messages it held", async () => {
  const found = await verified((sim) => sim.files.remove(segment(sim, 1)));
  assert.deepEqual(told(found), ["damage log/12.seg - 6 6"]);
  assert.match(found.findings[0]!.text, /is missing/);
  assert.deepEqual(told(await verified((sim) => sim.files.remove(segment(sim, 0)))), ["damage log/06.seg - 0 6"]);
});

Deno.test("P11 a missing last segment is told by the mark and by the cursors, and its messages are counted once", async () => {
  const found = await verified((sim) => sim.files.remove(segment(sim, 3)));
  assert.deepEqual(told(found), ["damage mark - 18 6", "damage cursors/bus - 18 2", "damage cursors/out - 18 6"]);
  assert.equal(found.lost, 6);
});

Deno.test("a file that was cut is told with the byte where it ends", async () => {
  const found = await verified((sim) => sim.truncateFile(segment(sim, 0), 4096 + commitBytes + 100));
  assert.deepEqual(told(found), [
    `damage log/00.seg ${4096 + commitBytes} 2 2`,
    `damage log/00.seg ${4096 + 2 * commitBytes} 4 2`,
  ]);
  assert.match(found.findings[0]!.text, new RegExp(`ends at byte ${4096 + commitBytes + 100}`));
});

Deno.test("P8 a torn tail was never accepted: it is no damage, and a bad commit that the mark covers is", async () => {
  const unmarked: Filling = { ...twelve, commits: [2, 2], cursors: {}, stepMs: 0, killed: true };
  const torn = await verified((sim) => {
    sim.writeFile("data/mark", new Uint8Array(8192));
    sim.flipByte(segment(sim, 0), 4096 + commitBytes + 5000);
  }, unmarked);
  assert.deepEqual(told(torn), [`note log/00.seg ${4096 + commitBytes} - 0`, "note mark - - 0"]);
  assert.equal(torn.end, 2);
  const marked = await verified((sim) => sim.flipByte(segment(sim, 0), 4096 + commitBytes + 5000), {
    ...unmarked,
    stepMs: 2000,
  });
  assert.deepEqual(told(marked), [`damage log/00.seg ${4096 + commitBytes} 2 2`]);
});

Deno.test("another node's segment, and one under another name, are told and left out", async () => {
  const found = await verified((sim) => {
    const id = randomId(sim.random);
    const header = { node: "00000000deadbeef", segment: id, base: 24 as Position, epoch: 1, sequence: 1, created: 0 };
    sim.writeFile(`data/log/${segmentName(24, id)}`, encodeSegmentHeader(header));
  });
  assert.deepEqual(told(found), ["damage log/24.seg - - 0"]);
  const renamed = await verified((sim) => {
    const { base, segment: id } = parseSegmentName(segment(sim, 3).slice("data/log/".length))!;
    sim.files.rename(segment(sim, 3), `data/log/${segmentName(base + 1, id)}`);
  });
  assert.equal(told(renamed)[0], "damage log/19.seg - - 0");
});

Deno.test("a small file that is damaged is told; of two slots one is enough", async () => {
  assert.deepEqual(told(await verified((sim) => sim.flipByte("data/node", 3))), ["damage node - - 0"]);
  assert.deepEqual(told(await verified((sim) => sim.files.remove("data/node"))), ["damage node - - 0"]);
  assert.deepEqual(told(await verified((sim) => sim.flipByte("data/epoch", 0))), ["damage epoch - - 0"]);
  assert.deepEqual(told(await verified((sim) => sim.files.remove("data/mark"))), ["damage mark - - 0"]);
  assert.deepEqual(told(await verified((sim) => sim.flipByte("data/cursors/bus", 100))), ["note cursors/bus - - 0"]);
  const both = (sim: SimWorld, path: string) => [100, 4196].forEach((at) => sim.flipByte(path, at));
  assert.deepEqual(told(await verified((sim) => both(sim, "data/cursors/bus"))), ["damage cursors/bus - - 0"]);
  assert.deepEqual(told(await verified((sim) => both(sim, "data/mark"))), ["damage mark - - 0"]);
  assert.deepEqual(told(await verified((sim) => sim.truncateFile("data/cursors/bus", 0))), [
    "damage cursors/bus - - 0",
  ]);
});

Deno.test("a cursor of another node is told", async () => {
  const found = await verified((sim) => {
    const nowhere = 0 as Position;
    openCursor(sim, "data", "else", "00000000deadbeef", { fresh: nowhere, lost: nowhere }).close();
  });
  assert.deepEqual(told(found), ["damage cursors/else - - 0"]);
});

Deno.test("dead letters are verified too, and what they lost is not counted as lost from the log", async () => {
  const sim = new SimWorld(1);
  await filled(sim, { ...twelve, cursors: {} });
  await filled(sim, { ...twelve, dir: "data/dead/bus", cursors: {} });
  sim.copyFile("data/dead/bus/node", "data/node");
  for (const path of segmentsOf(sim)) sim.files.remove(path);
  for (const path of ["data/mark", "data/epoch"]) sim.files.remove(path);
  assert.deepEqual(told(verify(readOnly(sim).files, "data")), []);
  sim.flipByte(segmentsOf(sim, "data/dead/bus")[0]!, 5000);
  const found = verify(readOnly(sim).files, "data");
  assert.deepEqual(told(found), ["damage dead/bus/log/00.seg 4096 0 2"]);
  assert.deepEqual([found.lost, found.dead.bus!.messages], [0, 22]);
});

Deno.test("what an entry holds is looked at by who knows entries", async () => {
  const sim = new SimWorld(1);
  await filled(sim, twelve);
  const flawOf = (_: Uint8Array, count: number) => count === 2 ? "odd" : undefined;
  assert.equal(verify(readOnly(sim).files, "data", { flawOf }).lost, 24);
});

Deno.test("M3.5 a directory in use is read up to the durable mark, and nothing of it is changed", async () => {
  const sim = new SimWorld(1);
  await filled(sim, { ...twelve, killed: true });
  sim.files.lock("data/LOCK", "process 7 on here");
  const before = sim.filesUnder("data").map((path) => [path, sim.fileBytes(path)]);
  // What is written beyond the mark is nobody's business yet.
  const last = segment(sim, 3);
  sim.flipByte(last, 4096 + 3 * commitBytes + 24 + 10);
  const found = verify(readOnly(sim).files, "data");
  assert.deepEqual(told(found), []);
  assert.deepEqual([found.holder, found.end], ["process 7 on here", 24]);
  sim.flipByte(last, 4096 + 3 * commitBytes + 24 + 10);
  assert.deepEqual(sim.filesUnder("data").map((path) => [path, sim.fileBytes(path)]), before);
});

Deno.test("a segment that retention frees while it is read is no damage", async () => {
  const sim = new SimWorld(1);
  await filled(sim, twelve);
  sim.files.lock("data/LOCK", "process 7 on here");
  const first = segment(sim, 0);
  let reads = 0;
  sim.watch = (call, path) => {
    // It becomes a spare and is written over, after its head was read.
    if (call !== "read" || path !== first || ++reads !== 3) return;
    sim.watch = undefined;
    sim.files.rename(first, `${first}.spare`);
    sim.truncateFile(`${first}.spare`, 5000);
  };
  const found = verify(readOnly(sim).files, "data");
  assert.equal(sim.watch, undefined);
  assert.deepEqual(told(found), []);
});

Deno.test("M3.5 verify begins where the oldest segment does, and goes by what is no log of dead letters", async () => {
  const found = await verified((sim) => {
    sim.files.remove(segment(sim, 0));
    sim.writeFile("data/dead/notes.txt", new Uint8Array(3));
  });
  assert.equal(found.start, 6);
  assert.deepEqual(found.dead, {});
});

Deno.test("what is wrong with the log is told before what is wrong with dead letters", async () => {
  const sim = new SimWorld(1);
  await filled(sim, twelve);
  sim.copyFile("data/node", "data/dead/bus/node");
  await filled(sim, { dir: "data/dead/bus", cursors: {} });
  sim.flipByte(segment(sim, 0), 40);
  sim.flipByte(segmentsOf(sim, "data/dead/bus")[0]!, 40);
  const files = verify(readOnly(sim).files, "data").findings.map(({ file }) => file.split("/")[0]);
  assert.deepEqual(files, ["log", "dead"]);
});

Deno.test("a file node is told as damaged or missing, with what the segments say", async () => {
  const damaged = await verified((sim) => sim.flipByte("data/node", 3));
  assert.equal(damaged.findings[0]!.text, `it is damaged; the segments say ${damaged.node}`);
  const missing = await verified((sim) => sim.files.remove("data/node"));
  assert.equal(missing.findings[0]!.text, `it is missing; the segments say ${missing.node}`);
  const alone = await verified((sim) => {
    for (const path of [...segmentsOf(sim), "data/node"]) sim.files.remove(path);
  });
  assert.equal(alone.findings[0]!.text, "it is missing");
});

Deno.test("P11 a cursor beyond the end is told; while a node runs, only one beyond all that can be seen", async () => {
  const torn: Filling = { ...twelve, commits: [2, 2], cursors: { bus: 4 }, stepMs: 0, killed: true };
  const found = await verified((sim) => sim.flipByte(segment(sim, 0), 4096 + commitBytes + 5000), torn);
  assert.deepEqual(told(found).filter((line) => line.includes("cursors")), ["damage cursors/bus - 2 2"]);
  const running = await verified((sim) => sim.files.lock("data/LOCK", "process 7 on here"), {
    ...torn,
    cursors: { bus: 4, out: 5 },
  });
  assert.deepEqual([running.end, told(running)], [0, ["damage cursors/out - 4 1"]]);
});

Deno.test("P2 a cursor whose counts do not add up is told", async () => {
  const found = await verified((sim) => {
    const payload = peekSlots(sim.files, "data/cursors/bus")!;
    payload[16]! += 1;
    const { slots } = Slots.open(sim.files, "data/cursors", "bus");
    slots.put(payload);
    slots.close();
  });
  assert.match(found.findings[0]!.text, /^its counts do not add up: from 1, 20 verdicts, but it stands at 20$/);
});
