import assert from "node:assert/strict";
import { segmentName } from "../../src/log/format.ts";
import { type Damage, LogFull, LogStopped, peekMark, type Position } from "../../src/log/mod.ts";
import { SimWorld } from "../sim/world.ts";
import { bytesOf, commitsOf, filesEnding, logDir, quarantined, segmentsOf, texts, Trial } from "./trial.ts";

const small = { segmentBytes: 4096 + 400 };

/** Entries 0 to 11, three to a segment; stopped in order. */
async function fourSegments(sim: SimWorld): Promise<string[]> {
  const trial = new Trial(sim, small);
  for (let i = 0; i < 12; i++) await trial.append(`entry ${i}`.padEnd(60, "x"));
  await trial.close();
  return segmentsOf(sim);
}
/** Three entries, killed before anything but the entries was written. */
async function killed(sim: SimWorld): Promise<void> {
  await new Trial(sim).append("a", "b", "c");
  sim.killProcess();
}
function numbers(trial: Trial, from = 0): string[] {
  return texts(trial.read(from)).map((text) => /^entry (\d+)/.exec(text)?.[1] ?? text);
}
function range(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => String(from + i));
}
function lastOf(sim: SimWorld) {
  return commitsOf(sim).at(-1)!;
}

Deno.test("P8: a torn tail is cut and told, and is no damage", async () => {
  const sim = new SimWorld(1);
  await killed(sim);
  const { path, offset } = lastOf(sim);
  sim.flipByte(path, offset + 64);
  const trial = new Trial(sim);
  assert.deepEqual(texts(trial.read()), ["a", "b"]);
  assert.deepEqual(trial.writer.recovered.damages, []);
  assert.match(trial.complaints.join(), /^an unfinished commit at byte \d+ of .*: it was never accepted$/);
  assert.equal(await trial.append("d"), 2);
  assert.deepEqual(texts(trial.read()), ["a", "b", "d"]);
});

Deno.test("P9: a file that had a torn tail is never appended to, nor is a byte of it changed", async () => {
  const sim = new SimWorld(1);
  await killed(sim);
  const { path, offset } = lastOf(sim);
  sim.flipByte(path, offset + 64);
  const before = sim.fileBytes(path);
  const trial = new Trial(sim);
  await trial.append("d");
  await trial.close();
  assert.deepEqual(sim.fileBytes(path), before);
});

Deno.test("P8: what has a later commit behind it was accepted: it is damage, not a torn tail", async () => {
  const sim = new SimWorld(1);
  await killed(sim);
  const { path, offset } = commitsOf(sim)[1]!;
  sim.flipByte(path, offset + 64);
  const trial = new Trial(sim);
  assert.deepEqual(texts(trial.read()), ["a", "1 damaged", "c"]);
  const [{ position, count, what }] = trial.writer.recovered.damages as [Damage];
  assert.deepEqual([position, count], [1, 1]);
  assert.match(what, new RegExp(`segment ${path.slice(-41)} is damaged at byte ${offset}`));
  assert.deepEqual(quarantined(sim), [`${path.slice(-41)}-${offset}.bad`]);
});

Deno.test("P8: even a torn commit behind it proves that the one before was accepted", async () => {
  const sim = new SimWorld(1);
  const before = new Trial(sim);
  await before.append("a");
  await before.appendTogether("b", "c");
  await before.append("d");
  sim.killProcess();
  const [, second, third] = commitsOf(sim);
  sim.flipByte(second!.path, second!.records[1]!.from + 16);
  sim.flipByte(third!.path, third!.offset + 64);
  const trial = new Trial(sim);
  assert.deepEqual(texts(trial.read()), ["a", "b", "1 damaged"]);
  assert.deepEqual(trial.writer.recovered.damages.map(({ position, count }) => [position, count]), [[2, 1]]);
  assert.equal(await trial.append("e"), 3);
  assert.deepEqual(texts(trial.read()), ["a", "b", "1 damaged", "e"]);
});

Deno.test("P8: where the mark says that it was accepted, a bad last commit is damage and costs the entry that was hit", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("a");
  await trial.appendTogether("b", "c", "d");
  await trial.close();
  const { path, records } = lastOf(sim);
  sim.flipByte(path, records[1]!.from + 16);
  const again = new Trial(sim);
  assert.deepEqual(texts(again.read()), ["a", "b", "1 damaged", "d"]);
  assert.deepEqual(again.writer.recovered.damages.map(({ position, count }) => [position, count]), [[2, 1]]);
  assert.equal(await again.append("e"), 4);
  assert.deepEqual(texts(again.read()), ["a", "b", "1 damaged", "d", "e"]);
});

Deno.test("P8: a damaged header of a commit costs no entry", async () => {
  for (const index of [0, 1, 2]) {
    const sim = new SimWorld(1);
    const trial = new Trial(sim);
    await trial.append("a", "b", "c");
    await trial.close();
    const { path, offset } = commitsOf(sim)[index]!;
    sim.flipByte(path, offset + 9);
    const again = new Trial(sim);
    assert.deepEqual(texts(again.read()), ["a", "b", "c"]);
    assert.deepEqual(again.writer.recovered.damages, []);
    assert.match(again.complaints.join(), /is damaged at byte \d+; no message is lost/);
  }
});

Deno.test("P11: a log that ends before the mark is accepted loss, is named, and its positions are not used again", async () => {
  const sim = new SimWorld(1);
  const paths = await fourSegments(sim);
  sim.files.remove(paths.at(-1)!);
  const trial = new Trial(sim, small);
  assert.deepEqual(trial.writer.recovered.damages, [{
    position: 9,
    count: 3,
    what: "accepted messages are missing at the end of the log",
  }]);
  assert.equal(await trial.append("entry 12"), 12);
  assert.deepEqual(numbers(trial), [...range(0, 9), "3 damaged", "12"]);
  await trial.close();
  assert.deepEqual(numbers(new Trial(sim, small)), [...range(0, 9), "3 damaged", "12"]);
});

Deno.test("P11: also when every segment is gone", async () => {
  const sim = new SimWorld(1);
  for (const path of await fourSegments(sim)) sim.files.remove(path);
  const trial = new Trial(sim, small);
  assert.deepEqual(trial.writer.recovered.damages.map(({ position, count }) => [position, count]), [[0, 12]]);
  assert.equal(await trial.append("entry 12"), 12);
  assert.deepEqual(numbers(trial), ["12 damaged", "12"]);
});

Deno.test("P11: the end may not lie before what the mark remembers of a destination", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, { destinations: () => new Map([["00112233aabbccdd", 7 as Position]]) });
  await trial.append("a", "b");
  await trial.close();
  const again = new Trial(sim);
  assert.equal(again.writer.recovered.base, 7);
  assert.deepEqual(again.writer.recovered.damages.map(({ position, count }) => [position, count]), [[2, 5]]);
});

Deno.test("P11: also when the last commit had to be copied, and what follows stands in the same segment", async () => {
  const sim = new SimWorld(1);
  await killed(sim);
  const ahead = new Trial(sim).cursor("out");
  ahead.advance(5 as Position, { taken: 5 });
  ahead.sync();
  sim.killProcess();
  sim.files.remove("data/mark");
  const trial = new Trial(sim);
  assert.equal(await trial.append("d"), 5);
  assert.deepEqual(texts(trial.read()), ["a", "b", "c", "2 damaged", "d"]);
  await trial.close();
  assert.deepEqual(texts(new Trial(sim).read()), ["a", "b", "c", "2 damaged", "d"]);
});

Deno.test("P9: missing segments are named by what they held", async () => {
  const cases = [[[0], [[0, 3]]], [[0, 1], [[0, 6]]], [[1], [[3, 3]]], [[1, 2], [[3, 6]]], [[0, 2], [[0, 3], [6, 3]]]];
  for (const [missing, damages] of cases as [number[], number[][]][]) {
    const sim = new SimWorld(1);
    const paths = await fourSegments(sim);
    for (const index of missing) sim.files.remove(paths[index]!);
    const { recovered } = new Trial(sim, small).writer;
    assert.deepEqual(recovered.damages.map(({ position, count }) => [position, count]), damages, `without ${missing}`);
  }
});

Deno.test("P9: what was trimmed is not missing", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, small);
  for (let i = 0; i < 12; i++) await trial.append(`entry ${i}`.padEnd(60, "x"));
  trial.writer.trim(6 as Position);
  await trial.close();
  const again = new Trial(sim, small);
  assert.deepEqual([again.complaints, again.writer.recovered.segments.length], [[], 2]);
});

Deno.test("P9: with the low-water mark lost the trimmed messages count as missing, and nothing else changes", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, small);
  for (let i = 0; i < 12; i++) await trial.append(`entry ${i}`.padEnd(60, "x"));
  trial.writer.trim(6 as Position);
  await trial.close();
  sim.files.remove("data/low");
  const again = new Trial(sim, small);
  assert.deepEqual(again.writer.recovered.damages.map(({ position, count }) => [position, count]), [[0, 6]]);
  assert.deepEqual(numbers(again, 6), range(6, 12));
});

Deno.test("P9: a segment that was given another name gets its own back", async () => {
  const id = "00000000000000ee";
  const names = [segmentName(100, ""), segmentName(0, ""), "id"];
  for (const index of [0, 1, 3]) {
    for (const other of names) {
      const sim = new SimWorld(1);
      const paths = await fourSegments(sim);
      const path = paths[index]!;
      const name = other === "id"
        ? `${path.slice(0, -20)}${id}.seg`
        : `${logDir}/${other.slice(0, 21)}${path.slice(-20)}`;
      if (name === path) continue;
      sim.files.rename(path, name);
      const trial = new Trial(sim, small);
      assert.deepEqual(segmentsOf(sim), paths);
      assert.deepEqual(numbers(trial), range(0, 12));
      assert.match(trial.complaints.join(), /was renamed back/);
      assert.deepEqual(trial.writer.recovered.damages, []);
    }
  }
});

Deno.test("P9: a second copy of a segment is set aside", async () => {
  const sim = new SimWorld(1);
  const paths = await fourSegments(sim);
  const copy = `${logDir}/${"7".padStart(20, "0")}${paths[1]!.slice(-21)}`;
  sim.copyFile(paths[1]!, copy);
  const trial = new Trial(sim, small);
  assert.deepEqual(segmentsOf(sim), paths);
  assert.deepEqual(numbers(trial), range(0, 12));
  assert.deepEqual(quarantined(sim), [copy.slice(logDir.length + 1)]);
});

Deno.test("P9: files that are none of ours are left alone", async () => {
  const sim = new SimWorld(1);
  await fourSegments(sim);
  const names = ["notes.txt", "00000000000000000000-0011.seg", "old.seg.bak", ".hidden"];
  for (const name of names) sim.writeFile(`${logDir}/${name}`, bytesOf("mine"));
  const trial = new Trial(sim, small);
  assert.deepEqual(numbers(trial), range(0, 12));
  for (const name of names) assert.deepEqual(sim.fileBytes(`${logDir}/${name}`), bytesOf("mine"));
});

Deno.test("P8: a damaged head is read by its file's name", async () => {
  for (let index = 0; index < 4; index++) {
    const sim = new SimWorld(1);
    const path = (await fourSegments(sim))[index]!;
    sim.writeFile(path, sim.fileBytes(path).fill(0, 0, 4096));
    const trial = new Trial(sim, small);
    assert.deepEqual(numbers(trial), range(0, 12));
    assert.deepEqual(trial.writer.recovered.damages, []);
    assert.match(trial.complaints.join(), /the head of segment .* is damaged/);
    assert.deepEqual(quarantined(sim), [`${path.slice(-41)}-0.bad`]);
    await trial.append("entry 12");
    assert.deepEqual(numbers(trial), range(0, 13));
    await trial.close();
    assert.deepEqual(numbers(new Trial(sim, small)), range(0, 13));
  }
});

Deno.test("P8: with all heads damaged everything is still read", async () => {
  const sim = new SimWorld(1);
  for (const path of await fourSegments(sim)) sim.flipByte(path, 33);
  const trial = new Trial(sim, small);
  assert.deepEqual(numbers(trial), range(0, 12));
  await trial.append("entry 12");
  assert.deepEqual(numbers(trial), range(0, 13));
});

Deno.test("what a crash left half made or half removed is cleared away", async () => {
  const sim = new SimWorld(1);
  const [path] = await fourSegments(sim);
  const left = ["0011223344556677.tmp", `${segmentName(0, "00000000000000aa")}.del`, "x.spare.tmp", "ballast.tmp"];
  for (const name of left) sim.writeFile(`${logDir}/${name}`, sim.fileBytes(path!));
  sim.writeFile(`${logDir}/00000000000000bb.spare`, new Uint8Array(100));
  assert.deepEqual(numbers(new Trial(sim, small)), range(0, 12));
  assert.deepEqual([filesEnding(sim, ".tmp"), filesEnding(sim, ".del")], [[], []]);
  assert.equal(filesEnding(sim, ".spare").length, 1);
});

Deno.test("the last commit, which nothing proves, is copied to a new segment before anybody reads it", async () => {
  const sim = new SimWorld(1);
  await killed(sim);
  const before = commitsOf(sim);
  const trial = new Trial(sim);
  assert.deepEqual(texts(trial.read()), ["a", "b", "c"]);
  const copy = commitsOf(sim).at(-1)!;
  assert.notEqual(copy.path, before[0]!.path);
  const { first, count, epoch, time } = before.at(-1)!.header;
  assert.deepEqual([copy.header.first, copy.header.count, copy.header.epoch, copy.header.time], [
    first,
    count,
    epoch,
    time,
  ]);
  assert.deepEqual([peekMark(sim.files, "data")!.position, trial.writer.facts().epoch], [3, 2]);
  await trial.append("d");
  sim.killProcess();
  const again = new Trial(sim);
  assert.deepEqual(texts(again.read()), ["a", "b", "c", "d"]);
});

Deno.test("P5: what a start delivers is never taken away by the next power cut", async () => {
  for (let seed = 0; seed < 60; seed++) {
    const sim = new SimWorld(seed);
    const trial = new Trial(sim);
    await trial.append("a", "b");
    // A sync that fails leaves the commit in the cache alone; then the program is killed.
    sim.failNth(1, "EIO", { kinds: ["sync"], persistent: true });
    trial.writer.append(bytesOf("c"), 1);
    await sim.run(trial.writer.durable().catch(() => {}));
    sim.heal();
    sim.killProcess();
    const delivered = texts(new Trial(sim).read());
    sim.cutPower();
    assert.deepEqual(texts(new Trial(sim).read()).slice(0, delivered.length), delivered, `seed ${seed}`);
  }
});

Deno.test("when the last commit cannot be copied that is told, and tried once more", async () => {
  const sim = new SimWorld(1);
  await killed(sim);
  sim.failNth(1, "EIO", { kinds: ["rename"] });
  const trial = new Trial(sim);
  assert.deepEqual(texts(trial.read()), ["a", "b", "c"]);
  assert.match(trial.complaints.join(), /the last commit cannot be copied to a new segment/);
  assert.equal(await trial.append("d"), 3);
  await trial.close();
  assert.deepEqual(texts(new Trial(sim).read()), ["a", "b", "c", "d"]);
});

Deno.test("starts that follow each other without a commit find the same log", async () => {
  const sim = new SimWorld(1);
  await killed(sim);
  for (let start = 0; start < 5; start++) {
    const trial = new Trial(sim);
    assert.deepEqual(texts(trial.read()), ["a", "b", "c"]);
    sim.killProcess();
  }
  assert.equal(segmentsOf(sim).length, 2, "one copy is enough");
});

Deno.test("a start has few files open at a time, however many segments there are", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, small);
  for (let i = 0; i < 90; i++) await trial.append(`entry ${i}`.padEnd(60, "x"));
  await trial.close();
  assert.equal(segmentsOf(sim).length, 30);
  let most = 0;
  sim.watch = () => void (most = Math.max(most, sim.openHandles));
  new Trial(sim, small);
  assert.ok(most <= 4, `${most} files were open`);
});

Deno.test("a start after a crash reads what stands behind the last commit once, though it is full of old commits", async () => {
  const sim = new SimWorld(1);
  const settings = { segmentBytes: 1 << 20, recycle: true };
  const trial = new Trial(sim, settings);
  for (let i = 0; i < 2400; i++) {
    for (let n = 0; n < 4; n++) trial.writer.append(bytesOf(`entry ${i}.${n}`), 1);
    trial.writer.durable();
    if (i % 4 === 3) await sim.run(trial.writer.durable());
  }
  for (let i = 0; i < 9; i++) await trial.append("x".repeat(250_000));
  trial.writer.trim(9600 as Position);
  for (let i = 0; i < 4; i++) await trial.append("x".repeat(250_000));
  sim.killProcess();
  let reads = 0;
  sim.watch = (call) => void (reads += call === "read" ? 1 : 0);
  new Trial(sim, settings);
  assert.ok(reads < 60, `${reads} reads`);
});

Deno.test("P11: what is damaged at a start is told at the next one too, as long as nothing follows it", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("a", "b", "c");
  await trial.close();
  const { path, offset } = commitsOf(sim)[1]!;
  sim.flipByte(path, offset + 64);
  for (let start = 0; start < 2; start++) {
    const again = new Trial(sim);
    assert.equal(again.writer.recovered.damages.length, 1);
    await again.close();
  }
  assert.equal(quarantined(sim).length, 1);
});

Deno.test("P11: a last segment that the disk does not give is told, for nobody knows what stood at its end", async () => {
  const sim = new SimWorld(1);
  await killed(sim);
  const { path } = lastOf(sim);
  sim.watch = (call, about) => {
    if (call === "read" && about === path) sim.failNth(1, "EIO", { kinds: ["read"] });
  };
  const trial = new Trial(sim);
  assert.match(trial.complaints.join(), /the disk does not give all of segment .*: messages at its end may be missing/);
});

Deno.test("P5 P12: while a full disk has no room for the copy nothing of it is delivered or taken behind it", async () => {
  for (let seed = 0; seed < 10; seed++) {
    const sim = new SimWorld(seed);
    await killed(sim);
    sim.capacity = 0;
    const trial = new Trial(sim);
    assert.deepEqual([texts(trial.read()), trial.writer.facts().state], [["a", "b"], "full"]);
    assert.throws(() => trial.writer.append(bytesOf("d"), 1), LogFull);
    await sim.run(10_000);
    assert.deepEqual(texts(trial.read()), ["a", "b"]);
    sim.capacity = 1 << 30;
    await sim.run(5000);
    assert.deepEqual(texts(trial.read()), ["a", "b", "c"]);
    assert.equal(await trial.append("d"), 3);
    sim.cutPower();
    assert.deepEqual(texts(new Trial(sim).read()), ["a", "b", "c", "d"]);
  }
});

Deno.test("P5 P10: a disk that fails both tries of the copy stops the log, and the next start finds all of it", async () => {
  for (let seed = 0; seed < 20; seed++) {
    const sim = new SimWorld(seed);
    await killed(sim);
    sim.failNth(1, "EIO", { kinds: ["rename"], persistent: true });
    const trial = new Trial(sim);
    assert.equal(trial.writer.facts().state, "stopped");
    assert.deepEqual(texts(trial.read()), ["a", "b"]);
    assert.throws(() => trial.writer.append(bytesOf("d"), 1), LogStopped);
    sim.heal();
    await trial.close();
    if (seed % 2) sim.cutPower();
    const again = new Trial(sim);
    assert.deepEqual(texts(again.read()), ["a", "b", "c"]);
    assert.equal(await again.append("d"), 3);
    assert.deepEqual(texts(again.read()), ["a", "b", "c", "d"]);
  }
});

Deno.test("P5: a log of one message, which nothing proves, is copied before anybody reads it", async () => {
  const sim = new SimWorld(1);
  await new Trial(sim).append("a");
  sim.killProcess();
  const { recovered } = new Trial(sim).writer;
  assert.deepEqual(recovered.undecided?.records.map(({ bytes }) => new TextDecoder().decode(bytes)), ["a"]);
});

Deno.test("P7: with its file lost the epoch goes on from what the segments say, damaged heads or not", async () => {
  const sim = new SimWorld(1);
  for (let life = 0; life < 3; life++) {
    const trial = new Trial(sim);
    await trial.append(`life ${life}`);
    await trial.close();
  }
  sim.files.remove("data/epoch");
  assert.equal(new Trial(sim).writer.recovered.epoch, 3);
  sim.killProcess();
  for (const path of segmentsOf(sim)) sim.flipByte(path, 40);
  assert.equal(new Trial(sim).writer.recovered.epoch, 0);
});

Deno.test("P8: what a start finds is told in the order of the log, and a damaged head is set aside whole", async () => {
  const sim = new SimWorld(1);
  const paths = await fourSegments(sim);
  for (const path of paths.slice(0, 2)) sim.flipByte(path, 40);
  sim.writeFile("data/low", bytesOf("garbage"));
  for (const path of paths.slice(2)) sim.files.rename(path, path.replace(/\d{20}/, "0".repeat(19) + "1"));
  const names = paths.map((path) => path.slice(logDir.length + 1));
  const head = sim.fileBytes(paths[0]!).subarray(0, 4096);
  const { notes } = new Trial(sim, small).writer.recovered;
  assert.deepEqual(
    notes.map((note) => note.replace(/: it cannot be told.*/, "")),
    [
      ...names.slice(2).map((name) => `1-${name.slice(-20)} is segment ${name}: it was renamed back`),
      ...names.slice(0, 2).map((name) => `the head of segment ${name} is damaged; its commits are read all the same`),
      'file "low" is damaged',
    ].map((note) => note.replace(/^1-/, "00000000000000000001-")),
  );
  assert.deepEqual(sim.fileBytes(`data/quarantine/${names[0]}-0.bad`), head);
});

Deno.test("P8: damage in the last segment is told from front to end, and just those bytes are set aside", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("a", "b", "c", "d", "e");
  await trial.close();
  const commits = commitsOf(sim);
  for (const at of [1, 3]) sim.flipByte(commits[at]!.path, commits[at]!.records[0]!.to - 1);
  const bytes = sim.fileBytes(commits[1]!.path);
  const { damages } = new Trial(sim).writer.recovered;
  assert.deepEqual(damages.map(({ position, count }) => [position, count]), [[1, 1], [3, 1]]);
  const name = commits[1]!.path.slice(logDir.length + 1);
  for (const at of [1, 3]) {
    const [from, to] = [commits[at]!.offset, commits[at + 1]!.offset];
    assert.deepEqual(sim.fileBytes(`data/quarantine/${name}-${from}.bad`), bytes.subarray(from, to));
  }
});

Deno.test("P11: one block that the disk does not give is told", async () => {
  const sim = new SimWorld(1);
  await fourSegments(sim);
  const last = segmentsOf(sim).at(-1)!;
  let reads = 0;
  sim.watch = (call, path) => {
    // The second look at it is the one for its end; there the first try fails, and then the second block.
    if (call !== "read" || path !== last) return;
    reads++;
    if (reads === 3) sim.failNth(1, "EIO", { kinds: ["read"] });
    if (reads === 5) sim.failNth(1, "EIO", { kinds: ["read"] });
  };
  const { notes } = new Trial(sim, small).writer.recovered;
  assert.ok(notes.some((note) => note.includes("the disk does not give all of segment")), notes.join("; "));
});

Deno.test("a last commit without messages is not copied, for nobody was told that anything is kept", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("a");
  await sim.run(20_000);
  await sim.run(trial.writer.probe());
  sim.killProcess();
  sim.files.remove("data/mark");
  const segments = segmentsOf(sim).length;
  const { writer } = new Trial(sim);
  assert.deepEqual([writer.recovered.undecided, segmentsOf(sim).length], [undefined, segments]);
});
