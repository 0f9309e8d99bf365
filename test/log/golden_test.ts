import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { DeadLetters } from "../../src/deliver/dead_letters.ts";
import { peekMark } from "../../src/log/mod.ts";
import { decodeEntry, idempotencyOf } from "../../src/message/wire.ts";
import { SimWorld } from "../sim/world.ts";
import { commitsIn, type Item, quarantined, segmentsOf, Trial } from "./trial.ts";

const golden = new URL("../golden/log-v1", import.meta.url).pathname;
const held = JSON.parse(Deno.readTextFileSync(`${golden}.json`));
const settings = { segmentBytes: 8192 };

/** A copy of the golden directory: nobody writes to the real one. */
function copy(): SimWorld {
  const sim = new SimWorld(1);
  const visit = (path: string): void => {
    for (const { name, isDirectory } of Deno.readDirSync(`${golden}${path}`)) {
      if (isDirectory) visit(`${path}/${name}`);
      else sim.writeFile(`data${path}/${name}`, Deno.readFileSync(`${golden}${path}/${name}`));
    }
  };
  visit("");
  return sim;
}
function listed(items: readonly Item[]): unknown[] {
  return items.map((item) => ({ ...item, bytes: "bytes" in item ? Buffer.from(item.bytes).toString("base64") : "" }));
}

Deno.test("P19: a log of format version 1 is read exactly, for ever", () => {
  const trial = new Trial(copy(), settings);
  assert.deepEqual(trial.complaints, []);
  assert.equal(trial.node, held.node);
  const { epoch, segments, end, base, undecided } = trial.writer.recovered;
  assert.deepEqual([epoch, end, base, undecided], [held.epoch, held.mark.position, held.mark.position, undefined]);
  assert.deepEqual(segments.map(({ name, base, bytes }) => ({ name, base, bytes })), held.segments);
  assert.deepEqual(listed(trial.read(held.low)), held.entries);
  assert.deepEqual(listed(trial.read(0)), [{ position: 0, count: 1, why: "trimmed", bytes: "" }, ...held.entries]);
  assert.deepEqual(quarantined(trial.sim), []);
});

Deno.test("P19: its mark and its cursor are read exactly", () => {
  const sim = copy();
  const { destinations, ...mark } = peekMark(sim.files, "data")!;
  assert.deepEqual({ ...mark, destinations: Object.fromEntries(destinations) }, held.mark);
  const { position, durable, start, generation, counts, paused, origin } = new Trial(sim, settings).cursor("out");
  assert.deepEqual({ position, durable, start, generation, counts, paused }, held.cursors.out);
  assert.equal(origin, "whole");
});

Deno.test("P19: its messages are what was sent, with the idempotency key where there was one", () => {
  const items = new Trial(copy(), settings).read(held.low);
  const entries = items.flatMap((item) => "bytes" in item ? [item.bytes] : []);
  const texts = entries.flatMap(decodeEntry).map((
    { topic, ip, data },
  ) => [topic, ip, JSON.parse(new TextDecoder().decode(data)).text]);
  const ip = "192.0.2.7";
  assert.deepEqual(texts, [
    ["one", ip, "the first that is left"],
    ...["a", "b", "c", "Größe €", "\u{1f600}", ""].map((text) => ["two", ip, text]),
    ["large", ip, "x".repeat(2800)],
    ["next", ip, "in a segment of its own"],
    ["again", ip, "under epoch 2"],
    ["again", ip, "and one more"],
  ]);
  const key = Uint8Array.from({ length: 16 }, (_, i) => i);
  assert.deepEqual(entries.map(idempotencyOf), [
    ...[undefined, undefined, { key, body: key.toReversed() }],
    ...[undefined, undefined, undefined, undefined],
  ]);
});

Deno.test("P10 P19: what stands behind a seal in it is not read", () => {
  const sim = copy();
  const [first] = segmentsOf(sim);
  const behind = commitsIn(sim, first!).at(-1)!;
  assert.deepEqual([behind.header.first, behind.header.count], [9, 1], "it does stand there");
  const at9 = new Trial(sim, settings).read(9)[0]!;
  assert.deepEqual(listed([at9]), [held.entries.find(({ position }: Item) => position === 9)]);
});

Deno.test("P15 P19: its dead letters are read exactly", () => {
  const sim = copy();
  const options = { node: held.node, bytesMax: 1 << 20, report: assert.fail };
  const letters = [...new DeadLetters(sim.boot(), "data/dead/out", options).letters()];
  assert.deepEqual(
    letters.map((
      { letter: { position, id, reason, tries, message } },
    ) => [position, id, reason, tries, message.topic, message.data]),
    [2, 3].map((
      n,
    ) => [n, `${held.node}-1-${n}`, "too odd", 1, "two", new TextEncoder().encode(`{"text":"${"_ab"[n - 1]}"}`)]),
  );
});

Deno.test("P19: it is gone on with, and stays readable with what is added", async () => {
  const sim = copy();
  const before = segmentsOf(sim).map((path) => [path, sim.fileBytes(path)]);
  for (let life = 0; life < 3; life++) {
    const trial = new Trial(sim, settings);
    assert.equal(await trial.append(`life ${life}`), held.mark.position + life);
    assert.equal(trial.writer.facts().epoch, held.epoch + 1 + life);
    assert.deepEqual(listed(trial.read(held.low)).slice(0, held.entries.length), held.entries);
    await trial.close();
  }
  assert.deepEqual(segmentsOf(sim).slice(0, before.length).map((path) => [path, sim.fileBytes(path)]), before);
});
