import assert from "node:assert/strict";
import type { Position } from "../../src/log/mod.ts";
import type { Kept } from "../../src/deliver/letter_index.ts";
import { type Behaviour, breakOff, ScriptedDestination, start, textOf } from "./node.ts";

Deno.test("P2 P6 messages arrive once and in order when nothing goes wrong", async () => {
  const { sim, destination, cursor, put, stop } = start(new ScriptedDestination());
  await put("a", "b", "c");
  await put("d");
  await sim.run(100);
  await stop();
  assert.deepEqual(destination.taken, ["a", "b", "c", "d"]);
  assert.deepEqual([cursor.position, cursor.durable, cursor.counts.taken], [4, 4, 4]);
  assert.equal(destination.closed, 1);
});

Deno.test("P7 after a broken connection the same batch comes again, over a new one", async () => {
  const { sim, destination, cursor, troubles, put, stop } = start(new ScriptedDestination(breakOff, breakOff));
  await put("a", "b");
  await sim.run(2000);
  await stop();
  assert.deepEqual(destination.batches, [["a", "b"], ["a", "b"], ["a", "b"]]);
  assert.deepEqual([destination.opened, destination.closed, cursor.position], [3, 3, 2]);
  assert.deepEqual(troubles, ["connection lost", "connection lost"]);
});

Deno.test("P7 P16 a pump that is ended before it sends leaves its cursor durable: nothing comes again", async () => {
  let reads = 0;
  const begun = () => {
    if (++reads === 3) throw new Error("too much is kept");
  };
  const { sim, destination, cursor, put, stop } = start(new ScriptedDestination(), { begun });
  await put("a");
  await sim.run(10);
  await put("b");
  await sim.run(10);
  assert.equal(cursor.durable, 0);
  await put("c");
  await sim.run(10);
  await assert.rejects(stop(), /too much is kept/);
  assert.deepEqual(destination.taken, ["a", "b"]);
  assert.deepEqual([cursor.position, cursor.durable, destination.closed], [2, 2, 1]);
});

Deno.test("P6 what is asked for again is sent before anything later", async () => {
  const destination = new ScriptedDestination((batch) => ({ refused: [], again: batch.slice(1) }));
  const { sim, put, stop } = start(destination);
  await put("a", "b", "c");
  await put("d");
  await sim.run(2000);
  await stop();
  assert.deepEqual(destination.batches.slice(0, 2), [["a", "b", "c"], ["b", "c"]]);
  assert.deepEqual(destination.taken, ["a", "b", "c", "d"]);
});

Deno.test("a destination that asks to be left alone is, for as long as it says, and not for more than five minutes", async () => {
  const busy = (waitMs: number): Behaviour => (batch) => ({ refused: [], again: batch, trouble: "busy", waitMs });
  const destination = new ScriptedDestination(busy(60_000), busy(1e12));
  const { sim, put, stop } = start(destination);
  await put("a");
  await sim.run(59_000);
  assert.equal(destination.batches.length, 1);
  await sim.run(2000);
  assert.equal(destination.batches.length, 2);
  await sim.run(298_000);
  assert.equal(destination.batches.length, 2);
  await sim.run(2000);
  assert.deepEqual(destination.taken, ["a"]);
  await stop();
});

Deno.test("P15 a message refused for good goes to the dead letters, and the rest goes on", async () => {
  const refuseB = new ScriptedDestination((batch) => ({
    refused: [{ delivery: batch[1]!, reason: "too large" }],
    again: [],
  }));
  const { sim, destination, cursor, dead, put, stop } = start(refuseB);
  await put("a", "b", "c");
  await sim.run(100);
  await stop();
  assert.deepEqual(destination.taken, ["a", "c"]);
  assert.deepEqual([cursor.counts.taken, cursor.counts.dead, cursor.position], [2, 1, 3]);
  const [{ letter }, ...others] = [...dead().letters()] as [Kept];
  assert.deepEqual([letter.position, letter.reason, letter.tries, others.length], [1, "too large", 1, 0]);
});

Deno.test("P15 a full store of dead letters pauses the destination and drops nothing", async () => {
  const refuse = (batch: readonly Parameters<ScriptedDestination["script"][0]>[0][0][]) => ({
    refused: batch.map((delivery) => ({ delivery, reason: "no" })),
    again: [],
  });
  const { sim, cursor, troubles, put, stop } = start(new ScriptedDestination(refuse), { deadMax: 0 });
  await put("a");
  await sim.run(50);
  assert.equal(cursor.position, 0);
  assert.match(troubles[0]!, /dead-letter store is full/);
  await sim.run(60_000);
  assert.equal(cursor.position, 1, "the destination has changed its mind");
  await stop();
});

Deno.test("messages that the filter leaves out get their verdict and are never sent", async () => {
  const { sim, destination, cursor, put, stop } = start(new ScriptedDestination());
  await put("debug 1", "a", "debug 2");
  await sim.run(100);
  await stop();
  assert.deepEqual(destination.taken, ["a"]);
  assert.deepEqual([cursor.counts.filtered, cursor.counts.taken, cursor.position], [2, 1, 3]);
});

Deno.test("a destination that is not there is asked again, for ever, with pauses of 30 s at most", async () => {
  const destination = new ScriptedDestination();
  destination.refusesToOpen = new Error("nobody there");
  const { sim, cursor, troubles, put, stop } = start(destination);
  await put("a");
  await sim.run(600_000);
  assert.ok(troubles.length >= 600 / 30 && troubles.length < 60, `${troubles.length} tries in ten minutes`);
  destination.refusesToOpen = undefined;
  await sim.run(31_000);
  assert.equal(cursor.position, 1);
  await stop();
});

Deno.test("a send that does not settle is given up after the deadline and tried anew", async () => {
  const hang = (_batch: unknown, signal: AbortSignal) =>
    new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const { sim, destination, troubles, put, stop } = start(new ScriptedDestination(hang), { deadlineMs: 1000 });
  await put("a");
  await sim.run(1500);
  assert.match(troubles[0]!, /No answer within 1000 ms/);
  assert.deepEqual(destination.taken, ["a"]);
  await stop();
});

Deno.test("P20 a stop does not wait for the destination", async () => {
  const hang = (_batch: unknown, signal: AbortSignal) =>
    new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const { sim, cursor, put, stop } = start(new ScriptedDestination(hang), { deadlineMs: 60_000 });
  await put("a");
  await sim.run(10);
  const before = sim.clock.elapsed();
  await stop();
  assert.equal(sim.clock.elapsed(), before);
  assert.equal(cursor.position, 0);
});

Deno.test("a cursor is durable within a second, though nothing more comes", async () => {
  const { sim, cursor, put, stop } = start(new ScriptedDestination());
  await put("a");
  await sim.run(1100);
  assert.equal(cursor.durable, 1);
  await stop();
});

Deno.test("P12 a log that cannot be opened for want of handles is read later, by the same thread", async () => {
  const { sim, destination, cursor, troubles, put, stop } = start(new ScriptedDestination());
  await put("a");
  await sim.run(100);
  // The writer has made its next segment, and no handle is left to read it.
  sim.watch = (call) => {
    if (call !== "syncDir") return;
    sim.failNth(1, "EMFILE", { kinds: ["open", "list"], persistent: true });
    sim.watch = undefined;
  };
  await put("b".repeat(70_000));
  await sim.run(60_000);
  assert.equal(destination.taken.length, 1);
  assert.match(troubles.at(-1)!, /EMFILE/);
  sim.heal();
  await sim.run(31_000);
  assert.deepEqual([destination.taken.length, cursor.position, destination.opened], [2, 2, 1]);
  await stop();
});

for (const code of ["ENOMEM", "EINTR"]) {
  Deno.test(`P7 a cursor that cannot be saved for the moment (${code}) is saved later`, async () => {
    const { sim, cursor, troubles, put, stop } = start(new ScriptedDestination());
    await put("a");
    sim.failNth(1, code, { kinds: ["sync"], persistent: true });
    await sim.run(5000);
    assert.deepEqual([cursor.position, cursor.durable], [1, 0]);
    assert.match(troubles.at(-1)!, new RegExp(code));
    sim.heal();
    await sim.run(2500);
    assert.equal(cursor.durable, 1);
    await stop();
  });
}

/** Refuses whatever begins with "bad", for as long as it is wrong everything. */
function refusing(world: { wrong: boolean }): ScriptedDestination {
  const answer: Behaviour = (batch) => ({
    refused: batch.filter(({ body }) => world.wrong || textOf(body).startsWith("bad"))
      .map((delivery) => ({ delivery, reason: "no such field" })),
    again: [],
  });
  return new ScriptedDestination(...Array.from({ length: 1000 }, () => answer));
}

Deno.test("P15 a destination that refuses everything pauses: nothing more becomes a dead letter", async () => {
  const world = { wrong: true };
  const { sim, destination, cursor, troubles, dead, put, stop } = start(refusing(world));
  await put(...Array.from({ length: 300 }, (_, i) => `message ${i}`));
  await sim.run(120_000);
  assert.deepEqual([cursor.position, [...dead().letters()].length], [0, 0]);
  assert.match(troubles.at(-1)!, /refuses more than 50 of 100 messages.*no such field/);
  world.wrong = false;
  await sim.run(60_000);
  assert.deepEqual([cursor.position, cursor.counts.taken, cursor.counts.dead], [300, 300, 0]);
  assert.deepEqual(destination.taken, Array.from({ length: 300 }, (_, i) => `message ${i}`));
  await stop();
});

Deno.test("P15 of a batch that is mostly refused what was taken is not sent again", async () => {
  const { sim, destination, cursor, put, stop } = start(refusing({ wrong: false }));
  await put("good", ...Array.from({ length: 60 }, () => "bad"));
  await sim.run(10_000);
  assert.deepEqual([destination.taken, cursor.position], [["good"], 0]);
  assert.deepEqual(destination.batches.slice(1).flat().filter((text) => text === "good"), []);
  await stop();
});

Deno.test("P15 where refused_max is 100 every refused message is a dead letter", async () => {
  const { sim, cursor, dead, put, stop } = start(refusing({ wrong: true }), { refusedMax: 100 });
  await put(...Array.from({ length: 120 }, (_, i) => `message ${i}`));
  await sim.run(10_000);
  assert.deepEqual([cursor.counts.dead, [...dead().letters()].length], [120, 120]);
  await stop();
});

/** So many entries that each needs a segment of its own. */
async function putSegments(put: (...payloads: string[]) => Promise<void>, names: string): Promise<void> {
  for (const name of names) await put(name.repeat(60_000));
}

Deno.test("P13 what waits beyond the budget of a destination that is not required expires, by range and counted", async () => {
  const destination = new ScriptedDestination();
  destination.refusesToOpen = new Error("nobody there");
  const { sim, cursor, troubles, put, stop } = start(destination, { budget: 200_000 });
  await putSegments(put, "abcdefgh");
  await sim.run(60_000);
  const { expired } = cursor.counts;
  assert.equal(expired, 3, "four segments and the one that is written are left");
  assert.deepEqual([cursor.position, cursor.counts.taken], [expired, 0]);
  assert.ok(troubles.some((text) => /^expired 0–/.test(text)), troubles.join());
  destination.refusesToOpen = undefined;
  await sim.run(31_000);
  assert.deepEqual([cursor.counts.expired + cursor.counts.taken, cursor.position], [8, 8]);
  assert.deepEqual(destination.taken.at(-1)![0], "h");
  await stop();
});

Deno.test("P13 what is within the budget is delivered, though it came while the destination was away", async () => {
  const destination = new ScriptedDestination();
  destination.refusesToOpen = new Error("nobody there");
  const { sim, cursor, put, stop } = start(destination, { budget: 10 << 20 });
  await putSegments(put, "abcdefgh");
  await sim.run(60_000);
  destination.refusesToOpen = undefined;
  await sim.run(31_000);
  assert.deepEqual(destination.taken.map((text) => text[0]), [..."abcdefgh"]);
  assert.deepEqual([cursor.counts.taken, cursor.counts.expired], [8, 0]);
  await stop();
});

const all = () => true;
const counted = ({ taken, dead }: { readonly taken: number; readonly dead: number }) => [taken, dead];

Deno.test("M4 P2 dead letters that are asked for are sent again, and are taken or dead as before: every position has one verdict", async () => {
  const world = { wrong: false };
  const { sim, destination, cursor, dead, put, stop } = start(refusing(world), { refusedMax: 100 });
  await put("a", "bad 1", "b", "bad 2");
  await sim.run(100);
  assert.deepEqual(counted(cursor.counts), [2, 2]);
  assert.equal(await sim.run(dead().ask(all)), 2);
  await sim.run(3000);
  assert.deepEqual([counted(cursor.counts), [...dead().letters()].map(({ letter }) => letter.tries)], [[2, 2], [2, 2]]);
  destination.script.length = 0; // from here on it takes everything
  await sim.run(dead().ask(({ position }) => position === 3));
  await sim.run(3000);
  assert.deepEqual(destination.taken, ["a", "b", "bad 2"]);
  assert.deepEqual([counted(cursor.counts), cursor.position, dead().count], [[3, 1], 4, 1]);
  await stop();
});

Deno.test("M4 the log never waits for dead letters that the destination does not take now; they are tried again", async () => {
  const world = { away: false };
  const answer: Behaviour = (batch) => {
    if (!batch.some(({ body }) => textOf(body).startsWith("bad"))) return { refused: [], again: [] };
    if (world.away) return { refused: [], again: [...batch], trouble: "no such index" };
    return { refused: batch.map((delivery) => ({ delivery, reason: "no" })), again: [] };
  };
  const scripted = new ScriptedDestination(...Array.from({ length: 1000 }, () => answer));
  const { sim, destination, cursor, dead, troubles, put, stop } = start(scripted, { refusedMax: 100 });
  await put("bad 1");
  await sim.run(100);
  world.away = true;
  await sim.run(dead().ask(all));
  await put("a", "b");
  await sim.run(10_000);
  await put("c");
  await sim.run(1000);
  assert.deepEqual([destination.taken, cursor.position, dead().asked], [["a", "b", "c"], 4, 1]);
  assert.equal(troubles.at(-1), "no such index");
  destination.script.length = 0;
  await sim.run(40_000);
  assert.deepEqual([destination.taken.at(-1), dead().count, counted(cursor.counts)], ["bad 1", 0, [4, 0]]);
  await stop();
});

Deno.test("M4 P2 what was asked for before a start is sent after it", async () => {
  const world = { wrong: false };
  const { sim, dead, deadLetters, put, stop } = start(refusing(world), { refusedMax: 100 });
  await put("bad");
  await sim.run(100);
  await sim.run(dead().ask(all));
  await stop();
  await sim.run(deadLetters.close());
  sim.cutPower();
  const next = start(new ScriptedDestination(), {}, sim);
  await sim.run(3000);
  assert.deepEqual([next.destination.taken, counted(next.cursor.counts), next.dead().count], [["bad"], [1, 0], 0]);
  await next.stop();
});

Deno.test("M4 P2 a letter of a message that is taken after a rewind is gone", async () => {
  const world = { wrong: false };
  const { sim, destination, cursor, control, dead, put, stop } = start(refusing(world), { refusedMax: 100 });
  await put("a", "bad");
  await sim.run(100);
  destination.script.length = 0;
  await sim.run(control.give({ do: "rewind", to: "0" }));
  await sim.run(3000);
  assert.deepEqual([destination.taken, counted(cursor.counts), dead().count], [["a", "a", "bad"], [2, 0], 0]);
  await stop();
});

Deno.test("M2.1 where others come to it, an adaptor is opened before there is a message, and again when that fails", async () => {
  const destination = new ScriptedDestination();
  destination.attended = true;
  destination.refusesToOpen = new Error("the port is busy");
  const { sim, troubles, put, stop } = start(destination, { listens: true });
  await sim.run(5000);
  assert.ok(troubles.includes("the port is busy"), troubles.join());
  destination.refusesToOpen = undefined;
  await sim.run(31_000);
  assert.equal(destination.opened, 1);
  await put("one");
  await sim.run(5000);
  assert.deepEqual(destination.taken, ["one"]);
  await stop();
});

Deno.test("M2.2 while nobody is there messages wait without a limit of time, and the connection stays", async () => {
  const destination = new ScriptedDestination();
  destination.attended = false;
  const { sim, cursor, troubles, put, stop } = start(destination, { listens: true });
  await put("one", "two");
  await sim.run(300_000);
  assert.deepEqual([destination.opened, destination.closed, destination.batches, cursor.position], [1, 0, [], 0]);
  assert.ok(troubles.includes("alone"));
  destination.attended = true;
  await sim.run(5000);
  assert.deepEqual(destination.taken, ["one", "two"]);
  assert.equal(cursor.counts.taken, 2);
  await stop();
});

Deno.test("M2.2 what is beyond the buffer while nobody is there is overwritten, the oldest first, and counted", async () => {
  const destination = new ScriptedDestination();
  destination.attended = false;
  const kept = 2;
  let end = 0;
  const buffered = (from: Position) => Math.max(from, end - kept) as Position;
  const { sim, cursor, troubles, put, stop } = start(destination, { listens: true, buffered });
  for (const text of ["a", "b", "c", "d", "e"]) {
    await put(text);
    end++;
    await sim.run(3000);
  }
  assert.deepEqual([cursor.position, cursor.counts.overwritten], [3, 3]);
  assert.ok(troubles.some((text) => text.startsWith("overwritten ")), troubles.join());
  destination.attended = true;
  await sim.run(5000);
  assert.deepEqual(destination.taken, ["d", "e"]);
  assert.deepEqual([cursor.counts.taken, cursor.counts.overwritten, cursor.position], [2, 3, 5]);
  await stop();
});

Deno.test("M2.2 nothing is overwritten while somebody is there", async () => {
  const destination = new ScriptedDestination();
  destination.attended = true;
  const { sim, cursor, put, stop } = start(destination, { listens: true, buffered: () => 100 as Position });
  await put("a", "b", "c");
  await sim.run(5000);
  assert.deepEqual([destination.taken, cursor.counts.overwritten], [["a", "b", "c"], 0]);
  await stop();
});
