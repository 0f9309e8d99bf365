/** How the writer keeps time: what a turn of the loop brings, what it does after a while, and what it tells of that. */
import assert from "node:assert/strict";
import { flagIdempotency } from "../../src/log/format.ts";
import { claimDirectory, LocalWatermark, LogFull, peekMark, type Position, SegmentWriter } from "../../src/log/mod.ts";
import type { World } from "../../src/os/world.ts";
import { SimWorld } from "../sim/world.ts";
import { bytesOf, commitsOf, destinationsAt, dir, logDir, segmentsOf, texts, Trial } from "./trial.ts";

/** A writer in a world with another clock. */
function writerWith(sim: SimWorld, clock: Partial<World["clock"]>): SegmentWriter {
  const booted = sim.boot();
  const world = { ...booted, clock: { ...booted.clock, ...clock } };
  const options = {
    segmentBytes: 32 << 20,
    reserveBytes: 0,
    recycle: false,
    destinations: () => new Map(),
    report: () => {},
  };
  return new SegmentWriter(world, dir, claimDirectory(world, dir, "a test"), new LocalWatermark(), options);
}

Deno.test("P21: a commit says for ten seconds that the log works, and no longer", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("a");
  const commits = async () => {
    await sim.run(trial.writer.probe());
    return trial.writer.facts().commits;
  };
  await sim.run(9999);
  assert.equal(await commits(), 1);
  await sim.run(1);
  assert.equal(await commits(), 2);
});

Deno.test("the mark follows a commit after a second, and destinations that move alone after five", async () => {
  const sim = new SimWorld(1);
  let destinations = destinationsAt({ one: 1 })();
  const trial = new Trial(sim, { destinations: () => destinations });
  const begin = sim.clock.elapsed();
  await trial.append("a", "b");
  await sim.run(999);
  assert.equal(peekMark(sim.files, dir), undefined);
  await sim.run(1);
  assert.equal(peekMark(sim.files, dir)!.position, 2);
  destinations = destinationsAt({ one: 2 })();
  await sim.run(begin + 4999 - sim.clock.elapsed());
  assert.deepEqual(peekMark(sim.files, dir)!.destinations, destinationsAt({ one: 1 })());
  await sim.run(1);
  assert.deepEqual(peekMark(sim.files, dir)!.destinations, destinations);
});

Deno.test("P12: a full disk is looked at again every half second", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("a");
  sim.capacity = 0;
  await assert.rejects(trial.append("b".repeat(9000)), LogFull);
  sim.capacity = 1 << 30;
  await sim.run(499);
  assert.equal(trial.writer.facts().state, "full");
  await sim.run(1);
  assert.equal(trial.writer.facts().state, "ready");
});

/** A writer to which each further turn of the loop brings so many entries; how many turns it took, and commits. */
async function inTurns(first: number, more: readonly number[], bytes = 1): Promise<[turns: number, commits: number]> {
  const sim = new SimWorld(1);
  const append = (count: number) => {
    for (let i = 0; i < count; i++) writer.append(new Uint8Array(bytes), 1);
  };
  let turns = 0;
  const writer = writerWith(sim, {
    turn: (run) => {
      const next = more[turns++ - 1] ?? 0;
      sim.clock.turn(() => {
        append(next);
        run();
      });
    },
  });
  append(first);
  await sim.run(writer.durable());
  return [turns, writer.facts().commits];
}

Deno.test("what a crowd brings in several turns of the loop is one commit; a turn that brought less ends it", async () => {
  assert.deepEqual(await inTurns(79, [1]), [1, 1]);
  assert.deepEqual(await inTurns(80, [0]), [2, 1]);
  assert.deepEqual(await inTurns(96, [96, 64, 96]), [3, 1]);
  assert.deepEqual(await inTurns(2, [96, 96], 5 << 20), [1, 2], "more than one commit waits for nobody");
});

Deno.test("a commit waits for nine turns of a crowd at most", async () => {
  assert.deepEqual(await inTurns(96, Array(20).fill(96)), [9, 1]);
});

Deno.test("the time that writing took is told, and nothing else", async () => {
  const sim = new SimWorld(1);
  let late = 0;
  sim.watch = (call, path) => void (late += call === "sync" && path.startsWith(logDir) ? 7 : 0);
  const writer = writerWith(sim, { elapsed: () => sim.clock.elapsed() + late });
  assert.deepEqual([writer.facts().syncMs, writer.facts().bytes], [0, 0]);
  writer.append(bytesOf("a"), 1);
  await sim.run(writer.durable());
  const before = writer.facts().syncMs;
  for (let i = 0; i < 3; i++) {
    writer.append(bytesOf("b"), 1);
    await sim.run(writer.durable());
    await sim.run(1000);
  }
  assert.equal(writer.facts().syncMs - before, 21);
});

Deno.test("P20: a stop ends after what was under way", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  const told: string[] = [];
  trial.writer.append(bytesOf("a"), 1);
  void trial.writer.durable().then(() => told.push("durable"));
  await sim.run(trial.writer.close().then(() => void told.push("closed")));
  assert.deepEqual([told, segmentsOf(sim).length], [["durable", "closed"], 1]);
  assert.throws(() => trial.writer.append(bytesOf("b"), 1), /the log is closing/);
});

Deno.test("P5: of two commits of a turn the first stands though the second has no room, and its positions are its own", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, { segmentBytes: 32 << 20 });
  await trial.append("a");
  const first = trial.writer.append(new Uint8Array(5 << 20), 3);
  const accepted = trial.writer.durable();
  trial.writer.append(new Uint8Array(5 << 20), 1);
  sim.failNth(2, "ENOSPC", { kinds: ["sync"] });
  await assert.rejects(sim.run(trial.writer.durable()), LogFull);
  await sim.run(accepted);
  await sim.run(1000);
  assert.deepEqual([first, await trial.append("b")], [1, 4]);
  assert.deepEqual(trial.read().map(({ position, count }) => [position, count]), [[0, 1], [1, 3], [4, 1]]);
});

Deno.test("the last commit keeps its flags when a start copies it, and an entry has none by itself", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("a");
  trial.writer.append(bytesOf("b"), 1, flagIdempotency);
  await sim.run(trial.writer.durable());
  sim.killProcess();
  new Trial(sim);
  assert.deepEqual(commitsOf(sim).map(({ header }) => header.flags), [0, flagIdempotency, flagIdempotency]);
});

Deno.test("P5: the last commit is copied twice at most, and once only where there is no room", async () => {
  for (const [code, tries] of [["EIO", 2], ["ENOSPC", 1]] as const) {
    const sim = new SimWorld(1);
    await new Trial(sim).append("a");
    sim.killProcess();
    sim.failNth(1, code, { kinds: ["rename"], persistent: true });
    let renamed = 0;
    sim.watch = (call) => void (renamed += call === "rename" ? 1 : 0);
    assert.deepEqual(texts(new Trial(sim).read()), [], code);
    assert.equal(renamed, tries, code);
  }
});

Deno.test("a start after an orderly stop says in its first segment where the last one ended", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("a", "b");
  await trial.close();
  const last = commitsOf(sim).at(-1)!;
  const again = new Trial(sim);
  await again.append("c");
  await again.close();
  const { recovered } = new Trial(sim).writer;
  const head = recovered.segments.at(-1) as unknown as { header: { previous: unknown } };
  assert.deepEqual(head.header.previous, {
    segment: last.path.slice(-20, -4),
    length: last.offset + 48 + last.header.length,
    chain: last.header.crc,
    end: 2,
  });
});

Deno.test("a trim that would free nothing writes nothing", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, { segmentBytes: 4096 + 400 });
  for (let i = 0; i < 8; i++) await trial.append("x".repeat(60));
  const calls = sim.calls;
  for (const before of [0, 2]) trial.writer.trim(before as Position);
  assert.equal(sim.calls, calls);
});

Deno.test("P10: a log that has stopped says why, once, and leaves no segment open", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("a");
  const before = sim.openHandles;
  sim.failNth(1, "EIO", { kinds: ["sync"], persistent: true });
  trial.writer.append(bytesOf("b"), 1);
  await assert.rejects(sim.run(trial.writer.durable()), { outcome: "unknown" });
  assert.throws(() => trial.writer.append(bytesOf("c"), 1), /the disk failed/);
  assert.equal(trial.reports.filter((text) => text.startsWith("the log has stopped: ")).length, 1);
  assert.equal(sim.openHandles, before - 1);
});

Deno.test("the mark is written once a second however many commits there are, and by nothing but commits or moves", async () => {
  const sim = new SimWorld(1);
  let destinations = destinationsAt({ one: 1, two: 1 })();
  const trial = new Trial(sim, { destinations: () => destinations });
  let marks = 0;
  sim.watch = (call, path) => void (marks += call === "write" && path === `${dir}/mark` ? 1 : 0);
  for (let i = 0; i < 9; i++) {
    await trial.append("a");
    await sim.run(100);
  }
  await sim.run(2000);
  assert.equal(marks, 1);
  await trial.append("b");
  await sim.run(1000);
  assert.equal(marks, 2);
  await sim.run(20_000);
  assert.equal(marks, 2);
  destinations = destinationsAt({ one: 1, two: 2 })();
  await sim.run(5000);
  assert.equal(marks, 3, "one of two has moved");
});

Deno.test("P12: that the log waits, and that it goes on, is reported once each", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("a");
  sim.capacity = 0;
  await assert.rejects(trial.append("b".repeat(9000)), LogFull);
  await sim.run(3000);
  sim.capacity = 1 << 30;
  await sim.run(1000);
  assert.deepEqual(trial.reports, [
    "the disk is full: refusing messages until there is room",
    "there is room on the disk again: taking messages again",
  ]);
  trial.reports.length = 0;
  sim.failNth(1, "EMFILE", { kinds: ["create"], persistent: true });
  await assert.rejects(trial.append("b".repeat(9000)), LogFull);
  sim.heal();
  await sim.run(1000);
  assert.equal(trial.reports.at(-1), "taking messages again");
  assert.match(trial.reports.at(-2)!, /^the system lacks handles or memory/);
});

Deno.test("a writer says whose log it is and which segments there are, and has nothing to say where nothing was written", async () => {
  const sim = new SimWorld(1);
  const idle = new Trial(sim);
  assert.equal(idle.writer.node, idle.node);
  await idle.close();
  assert.deepEqual(idle.reports, []);
  const trial = new Trial(sim, { segmentBytes: 4096 + 400 });
  for (let i = 0; i < 8; i++) await trial.append("x".repeat(60));
  assert.deepEqual(trial.writer.segments().map(({ name }) => `${logDir}/${name}`), segmentsOf(sim));
});

Deno.test("P1: who asks after a turn of two commits, of which the second failed, is not told that all is durable", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, { segmentBytes: 32 << 20 });
  await trial.append("a");
  for (let i = 0; i < 2; i++) trial.writer.append(new Uint8Array(5 << 20), 1);
  sim.failNth(2, "ENOSPC", { kinds: ["sync"] });
  await sim.run(10);
  await assert.rejects(trial.writer.durable(), LogFull);
});

Deno.test("P5 P12: nothing is taken behind a last commit that cannot be copied, though the disk seems to have room", async () => {
  const sim = new SimWorld(1);
  await new Trial(sim).append("a", "b");
  sim.killProcess();
  sim.failNth(1, "EDQUOT", { kinds: ["rename"], persistent: true });
  const trial = new Trial(sim);
  await sim.run(3000);
  assert.throws(() => trial.writer.append(bytesOf("c"), 1), LogFull);
  assert.deepEqual(texts(trial.read()), ["a"]);
  sim.heal();
  await sim.run(1000);
  assert.equal(await trial.append("c"), 2);
  assert.deepEqual(texts(trial.read()), ["a", "b", "c"]);
});

Deno.test("P9: a file in which a write broke off for want of room is never appended to", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, { segmentBytes: 8 << 20 });
  await trial.append("a");
  const [first] = segmentsOf(sim);
  sim.failNth(1, "ENOSPC", { kinds: ["write"], short: true });
  await assert.rejects(trial.append(new Uint8Array(3 << 20)), LogFull);
  await sim.run(1000);
  await trial.append("b");
  assert.deepEqual(commitsOf(sim).map(({ path }) => path === first), [true, false]);
});

Deno.test("P12: zeros are added ahead of small commits, but not out of the reserve", async () => {
  const [reserveBytes, fill, length] = [3 << 20, 1 << 20, 48 + 16 + 60_000];
  for (const missing of [0, 1]) {
    const sim = new SimWorld(1);
    sim.capacity = 1 << 30;
    const trial = new Trial(sim, { segmentBytes: 8 << 20, reserveBytes });
    const [first] = (await trial.append("a"), segmentsOf(sim));
    const size = () => sim.fileBytes(first!).length;
    assert.equal(size(), 4096 + fill);
    for (let i = 0; i < 17; i++) await trial.append(new Uint8Array(60_000));
    assert.equal(size(), 4096 + fill);
    sim.capacity = (1 << 30) - sim.space + reserveBytes + fill + length - missing;
    const next = trial.append(new Uint8Array(60_000));
    if (missing > 0) await assert.rejects(next, LogFull);
    else await next;
    assert.equal(size(), 4096 + (missing > 0 ? fill : 2 * fill));
  }
});
