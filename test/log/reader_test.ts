import assert from "node:assert/strict";
import { DiskFails, LocalWatermark, type Position, SegmentReader } from "../../src/log/mod.ts";
import { codeOf } from "../../src/os/world.ts";
import { SimWorld } from "../sim/world.ts";
import { bytesOf, commitsOf, dir, quarantined, segmentsOf, texts, Trial } from "./trial.ts";

const all = { count: 1000, bytes: 1 << 20 };
const small = { segmentBytes: 4096 + 400 };

/** Entries 0 to 11, three to a segment. */
async function fourSegments(sim = new SimWorld(1), more = {}): Promise<Trial> {
  const trial = new Trial(sim, { ...small, ...more });
  for (let i = 0; i < 12; i++) await trial.append(`entry ${i}`.padEnd(60, "x"));
  return trial;
}
function numbers(items: ReturnType<SegmentReader["next"]>): string[] {
  return texts(items).map((text) => /^entry (\d+)/.exec(text)?.[1] ?? text);
}
function range(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => String(from + i));
}
function flip(sim: SimWorld, index: number, into = 60): void {
  const { path, offset } = commitsOf(sim)[index]!;
  sim.flipByte(path, offset + into);
}

Deno.test("a reader gets every entry once and in order, across segments, and then nothing", async () => {
  const trial = await fourSegments();
  const reader = trial.reader();
  assert.deepEqual(numbers(reader.next(all)), range(0, 12));
  assert.deepEqual(reader.next(all), []);
  await trial.append("entry 12");
  assert.deepEqual(numbers(reader.next(all)), ["12"]);
});

Deno.test("a reader may begin at any position", async () => {
  const trial = await fourSegments();
  for (let from = 0; from <= 12; from++) assert.deepEqual(numbers(trial.read(from)), range(from, 12));
});

Deno.test("an entry that begins before the reader's start comes whole", async () => {
  const trial = new Trial(new SimWorld(1));
  trial.writer.append(bytesOf("a"), 3);
  trial.writer.append(bytesOf("b"), 5);
  trial.writer.append(bytesOf("c"), 1);
  await trial.sim.run(trial.writer.durable());
  const starts = [0, 1, 2, 3, 4, 7, 8].map((from) => texts(trial.read(from)).join(""));
  assert.deepEqual(starts, ["abc", "abc", "abc", "bc", "bc", "bc", "c"]);
  const [first] = trial.read(4);
  assert.deepEqual([first!.position, first!.count], [3, 5]);
});

Deno.test("a reader stops at its limits and goes on from there", async () => {
  const trial = new Trial(new SimWorld(1));
  for (let i = 0; i < 20; i++) trial.writer.append(bytesOf(`entry ${i}`.padEnd(100)), 10);
  await trial.sim.run(trial.writer.durable());
  const byCount = trial.reader();
  assert.deepEqual(numbers(byCount.next({ count: 25, bytes: Infinity })), range(0, 3));
  assert.deepEqual(numbers(byCount.next({ count: 1, bytes: Infinity })), ["3"]);
  assert.deepEqual(numbers(byCount.next({ count: Infinity, bytes: 450 })), range(4, 9));
  assert.deepEqual(numbers(byCount.next(all)), range(9, 20));
});

Deno.test("an entry says where, when and under which epoch it was committed", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  sim.setWall(1_772_366_400_000);
  await trial.append("a");
  const { bytes: _, ...about } = trial.read()[0] as { bytes: Uint8Array };
  assert.deepEqual(about, { position: 0, count: 1, epoch: 1, time: 1_772_366_400_000 });
});

Deno.test("P5: a reader never goes beyond the watermark, whatever stands there", async () => {
  const trial = await fourSegments();
  const mark = new LocalWatermark();
  const reader = new SegmentReader(trial.world, dir, trial.node, 0 as Position, mark);
  assert.deepEqual(reader.next(all), []);
  for (let end = 1; end <= 12; end++) {
    mark.raise(end as Position, Math.ceil(end / 3));
    assert.deepEqual(numbers(reader.next(all)), [String(end - 1)]);
  }
});

Deno.test("P10: a reader never goes beyond a seal, though the bytes there are right", async () => {
  for (const when of ["live", "after a start"]) {
    const sim = new SimWorld(1);
    const trial = new Trial(sim);
    await trial.append("entry 0", "entry 1");
    sim.failNth(1, "EIO", { kinds: ["sync"] });
    await trial.append("entry 2");
    await trial.append("entry 3");
    if (when === "live") assert.deepEqual(numbers(trial.read()), range(0, 4));
    await trial.close();
    assert.deepEqual(numbers(new Trial(sim).read()), range(0, 4));
    assert.deepEqual(commitsOf(sim).map(({ header }) => header.first), [0, 1, 2, 2, 3]);
  }
});

Deno.test("P10: even when the head that holds the seal is damaged, what was given up is not read", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("entry 0", "entry 1");
  sim.failNth(1, "ENOSPC", { kinds: ["sync"] });
  await assert.rejects(trial.append("entry 99"));
  await sim.run(1000);
  await trial.append("entry 2", "entry 3");
  await trial.close();
  sim.flipByte(segmentsOf(sim)[1]!, 64);
  const again = new Trial(sim);
  assert.deepEqual(numbers(again.read()), range(0, 4));
  assert.deepEqual(again.read().map(({ position }) => position), [0, 1, 2, 3]);
});

Deno.test("P8: past damage in a segment a reader goes on with the next entry, and what was there is set aside", async () => {
  const sim = new SimWorld(1);
  const trial = await fourSegments(sim);
  flip(sim, 4);
  const items = trial.read();
  assert.deepEqual(numbers(items), [...range(0, 4), "1 damaged", ...range(5, 12)]);
  assert.deepEqual(items.map(({ position }) => position), range(0, 12).map(Number));
  const { path, offset } = commitsOf(sim).find(({ header }) => header.first === 3)!;
  assert.deepEqual(quarantined(sim).length, 1);
  assert.match(quarantined(sim)[0]!, new RegExp(`^${path.slice(-41)}-${offset + 128}\\.bad$`));
});

Deno.test("P8: damage at the end of a segment costs no more than it hit", async () => {
  for (const index of [2, 5, 8, 11]) {
    for (const into of [3, 60]) {
      const sim = new SimWorld(1);
      const trial = await fourSegments(sim);
      flip(sim, index, into);
      const expected = range(0, 12).map((number) => number === String(index) && into === 60 ? "1 damaged" : number);
      assert.deepEqual(numbers(trial.read()), expected);
    }
  }
});

Deno.test("P8: damage in the live segment is passed as soon as the log is durable further on", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("entry 0", "entry 1", "entry 2");
  const { path, offset } = commitsOf(sim)[2]!;
  sim.flipByte(path, offset + 3);
  const reader = trial.reader();
  assert.deepEqual(numbers(reader.next(all)), ["0", "1", "2"], "its record is right");
  sim.flipByte(path, offset + 60);
  const other = trial.reader();
  assert.deepEqual(numbers(other.next(all)), ["0", "1", "1 damaged"]);
  await trial.append("entry 3", "entry 4");
  assert.deepEqual(numbers(other.next(all)), ["3", "4"]);
  assert.deepEqual(numbers(reader.next(all)), ["3", "4"]);
});

Deno.test("P3: the bytes are checked when they are delivered, not only at the start", async () => {
  const sim = new SimWorld(1);
  const trial = await fourSegments(sim);
  const reader = trial.reader();
  assert.deepEqual(numbers(reader.next({ count: 1, bytes: 1 })), ["0"]);
  for (const path of segmentsOf(sim)) sim.writeFile(path, sim.fileBytes(path).fill(0x5a, 4096));
  const items = reader.next(all).filter((item) => "bytes" in item);
  assert.ok(items.length <= 2, "what was read ahead at most");
});

Deno.test("P13: a reader that begins before the oldest segment is told what was trimmed", async () => {
  const trial = await fourSegments();
  trial.writer.trim(6 as Position);
  const items = trial.read(1);
  assert.deepEqual(numbers(items), ["5 trimmed", ...range(6, 12)]);
  assert.equal(items[0]!.position, 1);
});

Deno.test("P9: a reader that begins before the oldest segment, where nothing was trimmed, is told of damage", async () => {
  const sim = new SimWorld(1);
  await (await fourSegments(sim)).close();
  sim.files.remove(segmentsOf(sim)[0]!);
  const again = new Trial(sim, small);
  assert.deepEqual(numbers(again.read()), ["3 damaged", ...range(3, 12)]);
  again.writer.trim(6 as Position);
  assert.deepEqual(numbers(again.read()), ["6 trimmed", ...range(6, 12)]);
});

Deno.test("P9: a missing segment between others costs what it held", async () => {
  for (const when of ["live", "after a start"]) {
    const sim = new SimWorld(1);
    let trial = await fourSegments(sim);
    if (when !== "live") await trial.close();
    sim.files.remove(segmentsOf(sim)[1]!);
    if (when !== "live") trial = new Trial(sim, small);
    assert.deepEqual(numbers(trial.read()), [...range(0, 3), "3 damaged", ...range(6, 12)], when);
    assert.deepEqual(numbers(trial.read(4)), ["2 damaged", ...range(6, 12)], when);
  }
});

Deno.test("P9: when every segment is gone, what they held is damaged and the rest is read", async () => {
  const sim = new SimWorld(1);
  const trial = await fourSegments(sim);
  for (const path of segmentsOf(sim)) sim.files.remove(path);
  assert.deepEqual(numbers(trial.read()), ["12 damaged"]);
});

Deno.test("a segment that is removed while it is read is trimmed, never damaged", async () => {
  for (const recycle of [false, true]) {
    for (let had = 1; had < 6; had++) {
      const sim = new SimWorld(1);
      const trial = await fourSegments(sim, { recycle });
      const reader = trial.reader();
      assert.deepEqual(numbers(reader.next({ count: had, bytes: Infinity })), range(0, had));
      trial.writer.trim(9 as Position);
      for (let i = 12; i < 30; i++) await trial.append(`entry ${i}`.padEnd(60, "x"));
      const rest = reader.next(all);
      assert.ok(rest.every((item) => "bytes" in item || item.why === "trimmed"), `${numbers(rest)}`);
      let next = had;
      for (const { position, count } of rest) {
        assert.equal(position, next);
        next += count;
      }
      assert.equal(next, 30);
      assert.deepEqual(quarantined(sim), []);
    }
  }
});

Deno.test("a start that created segments and committed nothing in them is passed", async () => {
  const sim = new SimWorld(3);
  const trial = await fourSegments(sim);
  await trial.close();
  for (let i = 0; i < 3; i++) {
    const idle = new Trial(sim, small);
    await sim.run(idle.writer.probe());
    sim.killProcess();
  }
  const last = new Trial(sim, small);
  assert.deepEqual(numbers(last.read()), range(0, 12));
  await last.append("entry 12");
  assert.deepEqual(numbers(last.read()), range(0, 13));
  assert.deepEqual(numbers(last.read(12)), ["12"]);
});

Deno.test("a segment that was named and then given up is passed without a word", async () => {
  for (let seed = 0; seed < 20; seed++) {
    const sim = new SimWorld(seed);
    const trial = new Trial(sim, small);
    for (let i = 0; i < 3; i++) await trial.append(`entry ${i}`.padEnd(60, "x"));
    sim.failNth(1, "EIO", { kinds: ["syncDir"] });
    for (let i = 3; i < 8; i++) await trial.append(`entry ${i}`.padEnd(60, "x"));
    assert.deepEqual(numbers(trial.read()), range(0, 8));
    await trial.close();
    const again = new Trial(sim, small);
    assert.deepEqual(numbers(again.read()), range(0, 8));
    assert.deepEqual([quarantined(sim), again.complaints], [[], []]);
  }
});

Deno.test("what was read before a call failed is not lost, and the next call goes on", async () => {
  for (let n = 1; n < 60; n++) {
    const trial = await fourSegments();
    const reader = trial.reader();
    trial.sim.failNth(n, "EMFILE");
    const found: string[] = [];
    for (let calls = 0; found.length < 12 && calls < 4; calls++) {
      try {
        found.push(...numbers(reader.next(all)));
      } catch (problem) {
        assert.equal(codeOf(problem), "EMFILE");
      }
    }
    assert.deepEqual(found, range(0, 12), `call ${n}`);
  }
});

Deno.test("P8: blocks that the disk will not give cost what was in them", async () => {
  const sim = new SimWorld(1);
  const trial = await fourSegments(sim);
  sim.failNth(1, "EIO", { kinds: ["read"], persistent: true });
  assert.deepEqual(numbers(trial.read(9)), ["3 damaged"]);
  sim.heal();
  assert.deepEqual(numbers(trial.read(9)), range(9, 12));
});

Deno.test("P1 P8: what a disk does not give for a while is waited for, read by read; only what it never gives is damage", async () => {
  const patienceMs = 60_000;
  for (const healed of [true, false]) {
    for (let n = 1; n < 30; n++) {
      const sim = new SimWorld(n);
      const trial = await fourSegments(sim);
      const reader = new SegmentReader(trial.world, dir, trial.node, 0 as Position, trial.mark, { patienceMs });
      sim.failNth(n, "EIO", { kinds: ["read"], persistent: true });
      const found: string[] = [];
      for (let ms = 0; ms <= patienceMs + 1000; ms += 1000) {
        if (healed && ms === 30_000) sim.heal();
        try {
          found.push(...numbers(reader.next(all)));
        } catch (problem) {
          assert.ok(problem instanceof DiskFails, String(problem));
        }
        await sim.run(trial.world.clock.sleep(1000));
      }
      reader.close();
      if (healed) assert.deepEqual([found, quarantined(sim)], [range(0, 12), []], `read ${n}`);
      else if (n < 5) assert.ok(found.some((item) => item.endsWith("damaged")), `read ${n}: ${found}`);
      sim.heal();
      await trial.close();
    }
  }
});

Deno.test("a reader lets its handles go when it is closed", async () => {
  const trial = await fourSegments();
  const before = trial.sim.openHandles;
  const reader = trial.reader();
  reader.next({ count: 5, bytes: Infinity });
  assert.ok(trial.sim.openHandles > before);
  reader.close();
  assert.equal(trial.sim.openHandles, before);
});

Deno.test("who follows the writer reads little for each commit", async () => {
  const trial = new Trial(new SimWorld(1), { segmentBytes: 1 << 20 });
  const reader = trial.reader();
  await trial.append("entry 0");
  reader.next(all);
  let reads = 0;
  trial.sim.watch = (call) => void (reads += call === "read" ? 1 : 0);
  for (let i = 1; i <= 50; i++) {
    await trial.append(`entry ${i}`);
    assert.deepEqual(numbers(reader.next(all)), [String(i)]);
  }
  assert.ok(reads <= 2 * 50, `${reads} reads for 50 commits`);
});

/** Three commits a segment, a second apart: of one entry, of two, of two. Entries 0 to 4, 5 to 9, 10 to 14. */
async function timed(sim = new SimWorld(1)): Promise<Trial> {
  const trial = new Trial(sim, { segmentBytes: 4096 + 640 });
  sim.setWall(1_000_000);
  const text = (i: number) => `entry ${i}`.padEnd(60, "x");
  for (let i = 0; i < 15; i += 5) {
    for (const texts of [[text(i)], [text(i + 1), text(i + 2)], [text(i + 3), text(i + 4)]]) {
      await trial.appendTogether(...texts);
      await sim.run(1000);
    }
  }
  assert.equal(segmentsOf(sim).length, 3);
  return trial;
}
function stamps(items: ReturnType<SegmentReader["next"]>): string[] {
  return items.map((item) => "bytes" in item ? `${item.position} ${item.epoch} ${item.time / 1000}` : item.why);
}
/** The copy of what was damaged. */
function copied(sim: SimWorld): Uint8Array {
  return sim.fileBytes(`data/quarantine/${quarantined(sim)[0]}`);
}

Deno.test("a reader stops as soon as it has the bytes it was asked for", async () => {
  const trial = await fourSegments();
  assert.deepEqual(numbers(trial.reader().next({ count: Infinity, bytes: 120 })), ["0", "1"]);
  assert.deepEqual(numbers(trial.reader().next({ count: Infinity, bytes: 121 })), ["0", "1", "2"]);
});

Deno.test("a call that fails before anything was read says so, and one that fails behind one entry returns it", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, { segmentBytes: 4096 + 160 });
  for (let i = 0; i < 3; i++) await trial.append(`entry ${i}`.padEnd(60, "x"));
  assert.equal(segmentsOf(sim).length, 3);
  const reader = trial.reader();
  sim.failNth(1, "EMFILE", { kinds: ["open"] });
  assert.throws(() => reader.next(all), { code: "EMFILE" });
  sim.failNth(3, "EMFILE", { kinds: ["open"] }); // the second segment is opened with the first
  assert.deepEqual(numbers(reader.next(all)), ["0"]);
  assert.deepEqual(numbers(reader.next(all)), ["1", "2"]);
});

Deno.test("a reader goes on wherever it is sent, and stays where it is when it is sent there", async () => {
  const trial = await timed();
  const { sim } = trial;
  const reader = trial.reader();
  const opened: string[] = [];
  const next = (count: number) => numbers(reader.next({ count, bytes: Infinity }));
  assert.deepEqual(next(2), ["0", "1"]);
  sim.watch = (call) => void (call === "open" && opened.push(call));
  reader.seek(2 as Position);
  assert.deepEqual([next(1), opened], [["2"], []]);
  reader.seek(1 as Position);
  assert.deepEqual(next(1), ["1"]);
  reader.seek(4 as Position);
  assert.deepEqual(next(1), ["4"], "what was read ahead is gone");
  reader.seek(12 as Position);
  assert.deepEqual(next(99), ["12", "13", "14"]);
  reader.seek(0 as Position);
  assert.deepEqual(next(99), range(0, 15));
  const before = sim.openHandles;
  reader.seek(3 as Position);
  assert.ok(sim.openHandles < before, "nothing of the former place is open");
});

Deno.test("P7: what can be read of a commit with a damaged entry keeps its stamp, and just that commit is set aside", async () => {
  // In the middle of a sealed segment, at its end, and at the end of the live one.
  for (const index of [1, 2, 8]) {
    const sim = new SimWorld(1);
    const trial = await timed(sim);
    const before = stamps(trial.read());
    const { path, offset, records, header } = commitsOf(sim)[index]!;
    sim.flipByte(path, records.at(-1)!.to - 1);
    const lost = records.at(-1)!.position;
    assert.deepEqual(stamps(trial.read()), before.map((stamp, i) => i === lost ? "damaged" : stamp), `commit ${index}`);
    assert.deepEqual(copied(sim), sim.fileBytes(path).subarray(offset, offset + 48 + header.length));
  }
});

Deno.test("P8: entries of a commit with a damaged header have the stamp of the next commit, else of the segment, else none", async () => {
  const stampsOf = async (index: number, head = false) => {
    const sim = new SimWorld(1);
    const trial = await timed(sim);
    const { path, offset, records } = commitsOf(sim)[index]!;
    sim.flipByte(path, offset + 20);
    if (head) sim.flipByte(path, 100);
    const found = stamps(trial.read()).slice(records[0]!.position, records.at(-1)!.position + 1);
    return [found, copied(sim).length, offset, sim.fileBytes(path).length] as const;
  };
  assert.deepEqual((await stampsOf(1))[0], ["1 1 1002", "2 1 1002"], "the next commit");
  assert.deepEqual((await stampsOf(2))[0], ["3 1 1000", "4 1 1000"], "the segment");
  assert.deepEqual((await stampsOf(2, true))[0], ["3 0 0", "4 0 0"], "nothing tells");
  const [found, length, offset, size] = await stampsOf(8);
  assert.deepEqual(found, ["13 1 1006", "14 1 1006"]);
  assert.equal(length, size - offset, "where the damage ends in the live segment, nobody knows");
});

Deno.test("P16: of damage whose end nobody knows no more than 1 MiB is set aside", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, { segmentBytes: 4 << 20 });
  await trial.append("entry 0", "entry 1", "x".repeat(3 << 20));
  const { path, offset } = commitsOf(sim)[1]!;
  assert.ok(sim.fileBytes(path).length > offset + (2 << 20));
  for (const commit of commitsOf(sim).slice(1)) sim.flipByte(path, commit.offset + 20);
  trial.read();
  assert.equal(copied(sim).length, 1 << 20);
});

Deno.test("who follows the writer looks once for what comes next, and sets nothing aside", async () => {
  const trial = new Trial(new SimWorld(1), { segmentBytes: 1 << 20 });
  await trial.append("entry 0");
  let [lists, reads] = [0, 0];
  trial.sim.watch = (call) => {
    if (call === "list") lists++;
    if (call === "read") reads++;
  };
  const reader = trial.reader();
  reader.next(all);
  for (let i = 1; i <= 50; i++) {
    await trial.append(`entry ${i}`);
    assert.deepEqual(numbers(reader.next(all)), [String(i)]);
  }
  assert.equal(lists, 1);
  assert.ok(reads < 60, `${reads} reads for 51 commits`);
  assert.deepEqual(quarantined(trial.sim), []);
});

Deno.test("a segment that goes between the listing and the look is looked for again", async () => {
  for (const from of [0, 4]) {
    const sim = new SimWorld(1);
    const trial = await fourSegments(sim);
    sim.watch = (call, path) => {
      if (call !== "open" || path !== segmentsOf(sim)[from === 0 ? 0 : 1]) return;
      sim.watch = undefined;
      trial.writer.trim(6 as Position);
    };
    assert.deepEqual(numbers(trial.read(from)), [`${6 - from} trimmed`, ...range(6, 12)]);
  }
});

Deno.test("a reader has two segments open at most, also where the chain is broken or segments are empty", async () => {
  const sim = new SimWorld(3);
  await (await fourSegments(sim)).close();
  for (let i = 0; i < 3; i++) {
    const idle = new Trial(sim, small);
    await sim.run(idle.writer.probe());
    sim.killProcess();
  }
  sim.files.remove(segmentsOf(sim)[1]!);
  sim.flipByte(segmentsOf(sim)[2]!, 40);
  const last = new Trial(sim, small);
  await last.append("entry 12");
  for (const from of [0, 3, 12]) {
    const before = sim.openHandles;
    const reader = last.reader(from);
    for (
      let items = reader.next({ count: 1, bytes: 1 });
      items.length > 0;
      items = reader.next({ count: 1, bytes: 1 })
    ) {
      assert.ok(sim.openHandles <= before + 2);
    }
    reader.close();
    assert.equal(sim.openHandles, before, `from ${from}`);
  }
});

Deno.test("P11: positions that a start had to leave out are damaged, and nothing is set aside for them", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("entry 0", "entry 1");
  const cursor = trial.cursor("out");
  cursor.advance(5 as Position, { taken: 5 });
  cursor.sync();
  await trial.close();
  const again = new Trial(sim);
  await again.append("entry 5");
  assert.deepEqual(numbers(again.read()), ["0", "1", "3 damaged", "5"]);
  assert.deepEqual(quarantined(sim), []);
});

Deno.test("a segment that ends with a commit without messages is no damage", async () => {
  const sim = new SimWorld(1);
  for (let life = 0; life < 2; life++) {
    const trial = new Trial(sim);
    await trial.append(`entry ${life}`);
    await sim.run(20_000);
    await sim.run(trial.writer.probe());
    await trial.close();
  }
  assert.deepEqual(numbers(new Trial(sim).read()), ["0", "1"]);
  assert.deepEqual(quarantined(sim), []);
});

Deno.test("who has far to go reads many commits at once", async () => {
  const trial = new Trial(new SimWorld(1), { segmentBytes: 1 << 20 });
  for (let i = 0; i < 50; i++) await trial.append(`entry ${i}`);
  let reads = 0;
  trial.sim.watch = (call) => void (reads += call === "read" ? 1 : 0);
  assert.equal(trial.read().length, 50);
  assert.ok(reads < 8, `${reads} reads`);
});

Deno.test("P5: of damage just before the watermark no more is taken than up to the commit that stands there", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("entry 0", "entry 1", "entry 2");
  const [, second] = commitsOf(sim);
  sim.flipByte(second!.path, second!.offset + 20);
  const mark = new LocalWatermark();
  mark.raise(2 as Position, 1);
  const reader = new SegmentReader(trial.world, dir, trial.node, 0 as Position, mark);
  assert.deepEqual(numbers(reader.next(all)), ["0", "1"]);
  assert.equal(copied(sim).length, 48 + second!.header.length);
});

Deno.test("a next segment that goes between the listing and the look is looked for again", async () => {
  const sim = new SimWorld(1);
  const trial = await fourSegments(sim);
  const [, second] = segmentsOf(sim);
  sim.watch = (call, path) => {
    if (call !== "open" || path !== second) return;
    sim.watch = undefined;
    trial.writer.trim(6 as Position);
  };
  const items = trial.read();
  let next = 0;
  for (const item of items) {
    assert.ok("bytes" in item || item.why === "trimmed");
    assert.equal(item.position, next);
    next += item.count;
  }
  assert.deepEqual([next, quarantined(sim)], [12, []]);
});

Deno.test("P8: any one damaged head costs nothing, also among segments that begin at the same position", async () => {
  for (let seed = 0; seed < 5; seed++) {
    const sim = new SimWorld(seed);
    await (await fourSegments(sim)).close();
    for (let i = 0; i < 2; i++) {
      const idle = new Trial(sim, small);
      await sim.run(idle.writer.probe());
      sim.killProcess();
    }
    const last = new Trial(sim, small);
    for (let i = 12; i < 18; i++) await last.append(`entry ${i}`.padEnd(60, "x"));
    await last.close();
    for (const path of segmentsOf(sim)) {
      sim.flipByte(path, 40);
      const trial = new Trial(sim, small);
      for (const from of [0, 12]) assert.deepEqual(numbers(trial.read(from)), range(from, 18), path);
      await trial.close();
      sim.flipByte(path, 40);
    }
  }
});
