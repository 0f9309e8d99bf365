import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { entryBytesMax } from "../../src/log/format.ts";
import { LogFull, LogStopped, type Position } from "../../src/log/mod.ts";
import { Segment } from "../../src/log/segment.ts";
import { codeOf } from "../../src/os/world.ts";
import { type Call, SimWorld } from "../sim/world.ts";
import {
  bytesOf,
  commitsIn,
  commitsOf,
  filesEnding,
  logDir,
  segmentsOf,
  type Settings,
  texts,
  Trial,
} from "./trial.ts";

/** What changes files, in order, with ids as stars. A handle goes by the name that its file had when it was opened. */
function trace(sim: SimWorld): string[] {
  const calls: string[] = [];
  const changing: readonly Call[] = ["create", "write", "sync", "rename", "remove", "syncDir", "truncate"];
  sim.watch = (call, path) => {
    const name = path.replace(/^data\//, "").replace(/(?<=[/-])[0-9a-f]{16}(?=\.)/, "*");
    if (changing.includes(call)) calls.push(`${call} ${name}`);
  };
  return calls;
}

/** Without a picture of the difference, which takes minutes for megabytes. */
function areEqual(some: Uint8Array, others: Uint8Array): boolean {
  return Buffer.from(some).equals(others);
}

/** The header of a segment's file. */
function headOf(sim: SimWorld, path: string) {
  const segment = Segment.open(sim.files, logDir, path.slice(logDir.length + 1));
  segment.close();
  return segment.header!;
}

Deno.test("P1: append resolves only after the sync", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("first");
  const calls = trace(sim);
  trial.writer.append(bytesOf("second"), 1);
  const durable = trial.writer.durable();
  let syncedBefore = 0;
  const seen = durable.then(() => syncedBefore = calls.length);
  assert.deepEqual(calls, [], "nothing is written before the turn is over");
  await sim.run(seen);
  assert.deepEqual(calls.slice(0, syncedBefore), ["write log/*.tmp", "sync log/*.tmp"]);
});

Deno.test("P1: whatever was accepted survives a power cut", async () => {
  for (let seed = 0; seed < 40; seed++) {
    const sim = new SimWorld(seed);
    const trial = new Trial(sim);
    await trial.append("a", "b", "c".repeat(5000), "d");
    sim.cutPower();
    assert.deepEqual(texts(new Trial(sim).read()), ["a", "b", "c".repeat(5000), "d"]);
  }
});

Deno.test("P1: a commit of any size stays as it is when others follow it", async () => {
  for (
    const sizes of [[200_000, 10], [10, 200_000, 10], [70_000, 70_000, 10, 70_000, 10], [2_000_000, 10, 2_000_000]]
  ) {
    const trial = new Trial(new SimWorld(1), { segmentBytes: 1 << 20 });
    const entries = sizes.map((size, i) => new Uint8Array(size).fill(i + 1));
    await trial.append(...entries);
    const same = trial.read().map((item, i) => "bytes" in item && areEqual(item.bytes, entries[i]!));
    assert.deepEqual(same, sizes.map(() => true), `${sizes}`);
    await trial.close();
  }
});

Deno.test("P5: the watermark rises after the sync and not before", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  const marks: string[] = [];
  sim.watch = (call) => marks.push(`${call} ${trial.mark.position}`);
  await trial.append("a", "b");
  assert.deepEqual(marks.filter((mark) => mark.startsWith("sync")).slice(-2), ["sync 0", "sync 1"]);
  assert.equal(trial.mark.position, 2);
});

Deno.test("all of one turn is one commit with one promise, in the order of the calls", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  const positions = ["a", "b", "c"].map((text) => trial.writer.append(bytesOf(text), 10));
  const promise = trial.writer.durable();
  assert.equal(trial.writer.append(bytesOf("d"), 1), 30);
  assert.equal(trial.writer.durable(), promise);
  await sim.run(promise);
  trial.writer.append(bytesOf("e"), 1);
  assert.notEqual(trial.writer.durable(), promise);
  await sim.run(trial.writer.durable());
  assert.deepEqual(positions, [0, 10, 20]);
  assert.deepEqual(commitsOf(sim).map(({ header }) => [header.first, header.count]), [[0, 31], [31, 1]]);
  assert.deepEqual(texts(trial.read()), ["a", "b", "c", "d", "e"]);
});

Deno.test("the bytes of an entry are copied when it is appended", async () => {
  const trial = new Trial(new SimWorld(1));
  const bytes = bytesOf("as it was");
  trial.writer.append(bytes, 1);
  bytes.fill(0);
  await trial.sim.run(trial.writer.durable());
  assert.deepEqual(texts(trial.read()), ["as it was"]);
});

Deno.test("a turn of more than 8 MiB becomes several commits, each synced before the next is written", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, { segmentBytes: 32 << 20 });
  await trial.append("first");
  const calls = trace(sim);
  const entries = [3, 4, 2, 5, 3, 9, 1].map((mib, i) => new Uint8Array(mib << 20).fill(i + 1));
  await trial.appendTogether(...entries);
  assert.deepEqual(calls, Array.from({ length: 5 }, () => ["write log/*.tmp", "sync log/*.tmp"]).flat());
  assert.deepEqual(commitsOf(sim).map(({ header }) => header.count), [1, 2, 2, 1, 1, 1]);
  assert.deepEqual(trial.read(1).map((item) => "bytes" in item && item.bytes[0]), [1, 2, 3, 4, 5, 6, 7]);
});

Deno.test("what was appended in the second of two commits of a turn resolves after the first", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, { segmentBytes: 32 << 20 });
  const order: string[] = [];
  trial.writer.append(new Uint8Array(5 << 20), 1);
  const first = trial.writer.durable().then(() => order.push("first"));
  trial.writer.append(new Uint8Array(5 << 20), 1);
  const second = trial.writer.durable().then(() => order.push("second"));
  await sim.run(Promise.all([first, second]).then(() => {}));
  assert.deepEqual(order, ["first", "second"]);
});

Deno.test("an entry of 16 MiB is taken, one of a byte more is refused, and so is one without messages", async () => {
  const trial = new Trial(new SimWorld(1));
  assert.throws(() => trial.writer.append(new Uint8Array(entryBytesMax + 1), 1), RangeError);
  assert.throws(() => trial.writer.append(new Uint8Array(1), 0), RangeError);
  assert.throws(() => trial.writer.append(new Uint8Array(1), NaN), RangeError);
  await trial.append(new Uint8Array(entryBytesMax).fill(7), new Uint8Array(0));
  const [large, empty] = trial.read();
  assert.ok(large && "bytes" in large && large.bytes.length === entryBytesMax && large.bytes.at(-1) === 7);
  assert.ok(empty && "bytes" in empty && empty.bytes.length === 0);
});

Deno.test("a new segment is durable with its name before a message in it is accepted", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  const calls = trace(sim);
  await trial.append("first");
  assert.deepEqual(calls, [
    ...["create epoch.new", "write epoch.new", "sync epoch.new", "rename epoch.new", "syncDir data"],
    ...["create log/*.tmp", "write log/*.tmp", "sync log/*.tmp", "rename log/*.tmp", "syncDir log"],
    ...[`write log/*.tmp`, `sync log/*.tmp`],
  ]);
  assert.match(segmentsOf(sim).join(), /^data\/log\/0{20}-[0-9a-f]{16}\.seg$/);
});

Deno.test("a full segment is followed by one that says where it ended", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, { segmentBytes: 4096 + 400 });
  for (let i = 0; i < 12; i++) await trial.append(`entry ${i} ${"x".repeat(50)}`);
  const paths = segmentsOf(sim);
  assert.equal(paths.length, 4);
  for (const [i, path] of paths.entries()) {
    const { previous, base, sequence, epoch } = headOf(sim, path);
    assert.deepEqual([base, sequence, epoch], [3 * i, i + 1, 1]);
    const last = paths[i - 1] && commitsIn(sim, paths[i - 1]!).at(-1)!;
    const next = last && last.offset + 48 + last.header.length;
    const before = last && { segment: paths[i - 1]!.slice(-20, -4), length: next, chain: last.header.crc, end: base };
    assert.deepEqual(previous, before || undefined);
  }
});

Deno.test("commits are chained within their segment", async () => {
  const sim = new SimWorld(1);
  await new Trial(sim).append("a", "b", "c");
  const [path] = segmentsOf(sim);
  const commits = commitsOf(sim);
  const start = new DataView(sim.fileBytes(path!).buffer).getUint32(12, true);
  assert.deepEqual(commits.map(({ header }) => header.chain), [start, commits[0]!.header.crc, commits[1]!.header.crc]);
});

Deno.test("the epoch grows with the first commit of each start, and a start without one writes nothing to the log", async () => {
  const sim = new SimWorld(1);
  const epochs: number[] = [];
  for (let start = 0; start < 3; start++) {
    const trial = new Trial(sim);
    await trial.append(`start ${start}`);
    epochs.push(trial.writer.facts().epoch);
    await trial.close();
    const before = segmentsOf(sim).concat("data/epoch").map((path) => [path, sim.fileBytes(path)]);
    await new Trial(sim).close();
    assert.deepEqual(segmentsOf(sim).concat("data/epoch").map((path) => [path, sim.fileBytes(path)]), before);
  }
  assert.deepEqual(epochs, [1, 2, 3]);
  const items = new Trial(sim).read();
  assert.deepEqual(items.map((item) => "epoch" in item && item.epoch), [1, 2, 3]);
});

Deno.test("P7: the epoch grows even if the power went before anything was committed under the last one", async () => {
  for (let calls = 1; calls < 30; calls++) {
    const sim = new SimWorld(calls);
    const trial = new Trial(sim);
    await trial.append("a");
    await trial.close();
    const second = new Trial(sim);
    sim.stopAt(calls);
    second.writer.append(bytesOf("b"), 1);
    await sim.run(second.writer.durable().catch(() => {}));
    sim.cutPower();
    const third = new Trial(sim);
    await third.append("c");
    const items = third.read();
    const ids = items.map((item) => "epoch" in item && `${item.epoch}-${item.position}`);
    assert.equal(new Set(ids).size, items.length);
    assert.ok(texts(items).includes("a") && texts(items).includes("c"));
  }
});

for (const kind of ["write", "sync"] as const) {
  Deno.test(`P10: after a failed ${kind} the next bytes go to a fresh segment, whose header caps the old one`, async () => {
    const sim = new SimWorld(1);
    const trial = new Trial(sim);
    await trial.append("a", "b");
    const [old] = segmentsOf(sim);
    const sealed = commitsOf(sim).at(-1)!;
    const calls: string[] = [];
    sim.watch = (call, path) => void (path.includes(old!.slice(-20, -4)) && calls.push(call));
    sim.failNth(1, "EIO", { kinds: [kind] });
    assert.equal(await trial.append("c"), 2);
    assert.deepEqual(calls, kind === "write" ? ["write", "close"] : ["write", "sync", "close"]);
    const [first, second] = segmentsOf(sim);
    assert.equal(first, old);
    const { base, previous } = headOf(sim, second!);
    const end = sealed.offset + 48 + sealed.header.length;
    assert.deepEqual([base, previous!.length, previous!.end], [2, end, 2]);
    assert.deepEqual(texts(trial.read()), ["a", "b", "c"]);
    sim.cutPower();
    assert.deepEqual(texts(new Trial(sim).read()), ["a", "b", "c"]);
  });
}

Deno.test("P10: nothing is accepted on the strength of a second sync of the same file", async () => {
  for (let seed = 0; seed < 40; seed++) {
    const sim = new SimWorld(seed);
    const trial = new Trial(sim);
    await trial.append("a");
    sim.failNth(1, "EIO", { kinds: ["sync"] });
    await trial.append("b");
    await trial.append("c");
    sim.cutPower();
    assert.deepEqual(texts(new Trial(sim).read()), ["a", "b", "c"], `seed ${seed}`);
  }
});

Deno.test("P10: a commit that failed and was given up is not read behind the seal, though it stands there complete", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("a");
  const reader = trial.reader();
  assert.deepEqual(texts(reader.next({ count: 10, bytes: 1000 })), ["a"]);
  sim.failNth(1, "EIO", { kinds: ["sync"] });
  await trial.append("b");
  await trial.append("c");
  assert.deepEqual(texts(reader.next({ count: 10, bytes: 1000 })), ["b", "c"]);
  const [old] = segmentsOf(sim);
  assert.deepEqual(commitsIn(sim, old!).map(({ header }) => header.first), [0, 1], "it does stand there");
  sim.killProcess();
  assert.deepEqual(texts(new Trial(sim).read()), ["a", "b", "c"]);
});

Deno.test("P10: when the second try fails too the log stops, and says that the outcome is unknown", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("a");
  sim.failNth(1, "EIO", { kinds: ["write", "sync"], persistent: true });
  const refusal = { name: "Error", outcome: "unknown" };
  await assert.rejects(trial.append("b"), refusal);
  assert.equal(trial.writer.facts().state, "stopped");
  assert.throws(() => trial.writer.append(bytesOf("c"), 1), (problem) => {
    return problem instanceof LogStopped && problem.outcome === "refused" && codeOf(problem.cause) === "EIO";
  });
  await assert.rejects(trial.writer.probe(), LogStopped);
  assert.deepEqual(texts(trial.read()), ["a"], "what was durable is still read");
  sim.heal();
  await trial.close();
  const again = new Trial(sim);
  assert.deepEqual(texts(again.read()).slice(0, 1), ["a"]);
  await again.append("d");
});

Deno.test("P1: who asks only after a commit has failed is not told that it is durable", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("a");
  sim.failNth(1, "EIO", { kinds: ["write", "sync"], persistent: true });
  trial.writer.append(bytesOf("b"), 1);
  await sim.run(100);
  await assert.rejects(trial.writer.durable(), LogStopped);
});

const spareTaken: Settings = { recycle: true };

Deno.test("P10: a spare that fails is not tried a second time", async () => {
  const sim = new SimWorld(1);
  sim.writeFile(`${logDir}/00000000000000aa.spare`, new Uint8Array(8192));
  const trial = new Trial(sim, spareTaken);
  sim.failNth(2, "EIO", { kinds: ["write"] }); // after the epoch's
  await trial.append("a");
  assert.deepEqual(filesEnding(sim, ".spare"), []);
  assert.deepEqual(texts(trial.read()), ["a"]);
});

Deno.test("P12: a full disk refuses within one commit, keeps what was accepted, and takes more when there is room", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("a");
  sim.capacity = 0;
  const big = "b".repeat(9000);
  await assert.rejects(trial.append(big), LogFull);
  assert.equal(trial.writer.facts().state, "full");
  assert.throws(() => trial.writer.append(bytesOf("c"), 1), LogFull);
  await assert.rejects(trial.writer.probe(), LogFull);
  assert.deepEqual(texts(trial.read()), ["a"]);
  await sim.run(60_000);
  assert.equal(trial.writer.facts().state, "full");
  sim.capacity = 1 << 30;
  await sim.run(5000);
  assert.equal(await trial.append("d"), 1);
  assert.deepEqual(texts(trial.read()), ["a", "d"]);
  sim.cutPower();
  assert.deepEqual(texts(new Trial(sim).read()), ["a", "d"]);
});

Deno.test("P12: a disk that fills up in the middle of a write loses nothing, wherever it does", async () => {
  for (let room = 0; room < 80; room++) {
    const sim = new SimWorld(room);
    const trial = new Trial(sim, { segmentBytes: 16_384 });
    await trial.append("a");
    sim.capacity = 40_000 + 512 * room;
    const accepted = ["a"];
    for (let i = 0; i < 20; i++) {
      try {
        await trial.append(`${i} ${"x".repeat(1500)}`);
        accepted.push(`${i} ${"x".repeat(1500)}`);
      } catch (problem) {
        assert.ok(problem instanceof LogFull || problem instanceof LogStopped);
        await sim.run(600);
      }
    }
    sim.capacity = 1 << 30;
    await sim.run(5000);
    await trial.append("last");
    sim.cutPower();
    const found = texts(new Trial(sim).read());
    for (const text of [...accepted, "last"]) assert.ok(found.includes(text), `${room}: ${text.slice(0, 10)}`);
  }
});

Deno.test("P12: the reserve is left alone by the log", async () => {
  const sim = new SimWorld(1);
  sim.capacity = 20 << 20;
  const trial = new Trial(sim, { segmentBytes: 1 << 18, reserveBytes: 1 << 20 });
  await assert.rejects(async () => {
    for (;;) await trial.append("x".repeat(30_000));
  }, LogFull);
  assert.ok(sim.space >= 1 << 20 && sim.space < (1 << 20) + (1 << 19), `${sim.space} bytes are left`);
  const cursor = trial.cursor("out");
  cursor.sync();
  await trial.close();
});

Deno.test("P12: room that was taken in vain is given back", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("a");
  const { space } = sim;
  for (let i = 0; i < 5; i++) {
    sim.failNth(1, "ENOSPC", { kinds: ["write"], short: true, persistent: true });
    await assert.rejects(trial.append("b".repeat(9000)), LogFull);
    sim.heal();
    await sim.run(1000);
  }
  assert.deepEqual(filesEnding(sim, ".tmp"), []);
  assert.ok(sim.space >= space, `${space - sim.space} bytes are missing`);
});

Deno.test("P7: a commit that may stand on a full disk, and cannot be excluded, is not called refused", async () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 100; seed++) {
    for (const kind of ["write", "sync"] as const) {
      const sim = new SimWorld(seed);
      const trial = new Trial(sim);
      await trial.append("a");
      sim.failNth(1, "ENOSPC", { kinds: [kind], short: true, persistent: true });
      await assert.rejects(trial.append("b"), { outcome: "unknown" });
      sim.heal();
      sim.killProcess();
      seen.add(`${kind} ${texts(new Trial(sim).read())}`);
    }
  }
  assert.deepEqual([...seen].sort(), ["sync a,b", "write a", "write a,b"]);
});

Deno.test("P4: a commit whose failed copy a later seal excludes is refused for certain", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, { segmentBytes: 1 << 20 });
  await trial.append("a");
  sim.failNth(1, "EIO", { kinds: ["sync"] });
  sim.failNth(3, "ENOSPC", { kinds: ["write"] }); // after the old segment's and the new one's header
  await assert.rejects(trial.append("b".repeat(70_000)), LogFull);
  sim.killProcess();
  assert.deepEqual(texts(new Trial(sim).read()), ["a"]);
});

Deno.test("what was refused leaves its positions to others", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("a");
  sim.failNth(1, "ENOSPC", { kinds: ["write"], short: true });
  await assert.rejects(trial.append("refused".repeat(1000)), LogFull);
  await sim.run(1000);
  assert.equal(await trial.append("b"), 1);
  assert.deepEqual(texts(trial.read()), ["a", "b"]);
  await trial.close();
  assert.deepEqual(texts(new Trial(sim).read()), ["a", "b"]);
});

Deno.test("P10: a write that came half way is followed by a fresh segment, and cut off", async () => {
  for (let seed = 0; seed < 40; seed++) {
    const sim = new SimWorld(seed);
    const trial = new Trial(sim);
    await trial.append("a");
    sim.failNth(1, "EIO", { kinds: ["write"], short: true });
    await trial.append("b", "c");
    assert.deepEqual(texts(trial.read()), ["a", "b", "c"]);
    sim.cutPower();
    assert.deepEqual(texts(new Trial(sim).read()), ["a", "b", "c"]);
  }
});

async function fourSegments(sim: SimWorld, more: Settings = {}): Promise<Trial> {
  const trial = new Trial(sim, { segmentBytes: 4096 + 400, ...more });
  for (let i = 0; i < 12; i++) await trial.append(`entry ${i} ${"x".repeat(50)}`);
  return trial;
}

Deno.test("P13: a trim gives back whole segments before a position, and never the last", async () => {
  for (const [before, left] of [[0, 4], [2, 4], [3, 3], [5, 3], [6, 2], [9, 1], [12, 1], [1000, 1]] as const) {
    const sim = new SimWorld(1);
    const trial = await fourSegments(sim);
    trial.writer.trim(before as Position);
    assert.equal(segmentsOf(sim).length, left, `before ${before}`);
    assert.equal(trial.writer.facts().start, 3 * (4 - left));
    assert.equal(trial.read(3 * (4 - left)).length, 12 - 3 * (4 - left));
  }
});

Deno.test("a trim makes the low-water mark durable, then the names, and only then gives the room back", async () => {
  const sim = new SimWorld(1);
  const trial = await fourSegments(sim);
  const calls = trace(sim);
  trial.writer.trim(6 as Position);
  const names = ["log/00000000000000000000-*.seg", "log/00000000000000000003-*.seg"];
  assert.deepEqual(calls, [
    ...["create low.new", "write low.new", "sync low.new", "rename low.new", "syncDir data"],
    ...names.map((name) => `rename ${name}`),
    "syncDir log",
    ...names.map((name) => `remove ${name}.del`),
  ]);
});

Deno.test("P9: a power cut at any call of a trim loses nothing behind it, and calls nothing missing", async () => {
  for (const recycle of [false, true]) {
    for (let calls = 1; calls < 20; calls++) {
      for (let seed = 0; seed < 8; seed++) {
        const sim = new SimWorld(seed);
        const trial = await fourSegments(sim, { recycle });
        await sim.run(1100);
        sim.stopAt(calls);
        try {
          trial.writer.trim(6 as Position);
        } catch (problem) {
          assert.equal(codeOf(problem), "EHALT");
        }
        sim.cutPower();
        const again = new Trial(sim, { segmentBytes: 4096 + 400, recycle });
        assert.deepEqual(again.complaints, []);
        const items = again.read(6);
        assert.equal(items.length, 6, `call ${calls}, seed ${seed}`);
        for (const item of again.read(0)) {
          assert.ok("bytes" in item || item.why === "trimmed", `call ${calls}, seed ${seed}`);
        }
        assert.deepEqual(filesEnding(sim, ".del"), []);
      }
    }
  }
});

Deno.test("a trim that failed half way is taken up by the next", async () => {
  for (let n = 1; n < 16; n++) {
    const sim = new SimWorld(1);
    const trial = await fourSegments(sim);
    sim.failNth(n, "EIO");
    try {
      trial.writer.trim(6 as Position);
    } catch (problem) {
      assert.equal(codeOf(problem), "EIO");
    }
    sim.heal();
    trial.writer.trim(9 as Position);
    assert.equal(segmentsOf(sim).length, 1);
    assert.deepEqual(filesEnding(sim, ".del"), [], `call ${n}`);
    assert.equal(trial.read(9).length, 3);
  }
});

Deno.test("freed segments become spares, up to four, and are used again", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, { segmentBytes: 4096 + 400, recycle: true });
  for (let i = 0; i < 30; i++) await trial.append(`entry ${i} ${"x".repeat(50)}`);
  trial.writer.trim(27 as Position);
  const spares = filesEnding(sim, ".spare");
  assert.equal(spares.length, 4);
  const calls = trace(sim);
  for (let i = 30; i < 40; i++) await trial.append(`entry ${i} ${"x".repeat(50)}`);
  assert.deepEqual(filesEnding(sim, ".spare"), []);
  assert.deepEqual(calls.filter((call) => call.startsWith("create")), []);
  assert.deepEqual(
    texts(trial.read(27)).map((text) => text.trim().slice(0, 8)),
    range(27, 40).map((i) => `entry ${i}`),
  );
});

Deno.test("P3: what a file held in its former lives is never read again", async () => {
  for (let seed = 0; seed < 10; seed++) {
    const sim = new SimWorld(seed);
    const settings = { segmentBytes: 4096 + 2000, recycle: true };
    let next = 0;
    for (let life = 0; life < 12; life++) {
      const trial = new Trial(sim, settings);
      const count = 3 + life % 5 * 7;
      for (let i = 0; i < count; i++) await trial.append(`life ${life} entry ${i}`);
      const items = trial.read(trial.writer.facts().start);
      for (const item of items) assert.ok("bytes" in item, `seed ${seed}, life ${life}`);
      assert.equal(items.at(-1)!.position + 1, next + count);
      next += count;
      await sim.run(1100);
      trial.writer.trim(next as Position);
      if (life % 3 === 0) await trial.close();
      else if (life % 3 === 1) sim.killProcess();
      else sim.cutPower();
    }
  }
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

Deno.test("an orderly stop cuts the zeros off, writes the mark, and leaves nothing for the next start to say", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("a", "b");
  const last = commitsOf(sim).at(-1)!;
  await trial.close();
  assert.equal(sim.fileBytes(segmentsOf(sim)[0]!).length, last.offset + 48 + last.header.length);
  const again = new Trial(sim);
  assert.deepEqual([again.complaints, again.writer.recovered.undecided], [[], undefined]);
});

Deno.test("a stop waits for what is under way and takes no more", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  trial.writer.append(bytesOf("a"), 1);
  const durable = trial.writer.durable();
  const closed = trial.writer.close();
  assert.throws(() => trial.writer.append(bytesOf("b"), 1), { outcome: "refused" });
  assert.equal(trial.writer.close(), closed, "a second stop is the same");
  await sim.run(closed);
  await sim.run(durable);
  assert.deepEqual(texts(trial.read()), ["a"]);
});

Deno.test("a stop succeeds even if everything fails by then", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("a");
  sim.failNth(1, "EIO", { persistent: true });
  await sim.run(trial.writer.close());
  assert.equal(trial.reports.length, 2);
  sim.heal();
  sim.killProcess();
  assert.deepEqual(texts(new Trial(sim).read()), ["a"]);
});

Deno.test("nothing is waited for after a stop", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("a");
  sim.capacity = 0;
  await assert.rejects(trial.append("b".repeat(9000)), LogFull);
  await sim.run(trial.writer.close());
  const calls = sim.calls;
  await sim.run(100_000);
  assert.equal(sim.calls, calls);
});

Deno.test("P21: a probe commits where nothing was committed for ten seconds, and is no message", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await sim.run(trial.writer.probe());
  assert.equal(trial.writer.facts().commits, 1);
  await sim.run(trial.writer.probe());
  assert.equal(trial.writer.facts().commits, 1);
  await sim.run(10_000);
  await sim.run(trial.writer.probe());
  assert.equal(trial.writer.facts().commits, 2);
  assert.equal(await trial.append("a"), 0);
  assert.deepEqual(texts(trial.read()), ["a"]);
  await trial.close();
  assert.deepEqual(texts(new Trial(sim).read()), ["a"]);
});

Deno.test("P17: a wall clock that jumps changes stamps and nothing else", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  const walls = [Date.UTC(2026, 0, 1), 0, Date.UTC(2100, 0, 1), Date.UTC(2026, 0, 1, 1)];
  for (const wall of walls) {
    sim.setWall(wall);
    await trial.append(`at ${wall}`);
  }
  const items = trial.read();
  assert.deepEqual(items.map((item) => "time" in item && item.time), walls);
  assert.deepEqual(items.map(({ position }) => position), [0, 1, 2, 3]);
});

Deno.test("facts tell where the log begins and ends, what it takes and what is left", async () => {
  const sim = new SimWorld(1);
  const trial = await fourSegments(sim);
  const { start, end, epoch, bytes, freeBytes, state } = trial.writer.facts();
  assert.deepEqual([start, end, epoch, state], [0, 12, 1, "ready"]);
  assert.equal(bytes, segmentsOf(sim).reduce((sum, path) => sum + sim.fileBytes(path).length, 0));
  assert.equal(freeBytes, sim.space);
  sim.failNth(1, "EIO", { kinds: ["space"] });
  assert.equal(trial.writer.facts().freeBytes, 0);
});
