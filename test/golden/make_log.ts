/**
 * Made the directory `log-v1` in which format version 1 is kept for ever, and `log-v1.json`, which says what it holds:
 * `deno run -A test/golden/make_log.ts DIR`. The same bytes each time, as long as the code writes this format. What was released
 * is never made again: a later format gets a directory of its own.
 */
import { Buffer } from "node:buffer";
import { DeadLetters } from "../../src/deliver/dead_letters.ts";
import { flagIdempotency } from "../../src/log/format.ts";
import {
  claimDirectory,
  destinationKey,
  LocalWatermark,
  openCursor,
  peekMark,
  type Position,
  SegmentReader,
  SegmentWriter,
} from "../../src/log/mod.ts";
import { decodeEntry, encodeEntry, type EntryHead } from "../../src/message/wire.ts";
import type { World } from "../../src/os/world.ts";
import { SimWorld } from "../sim/world.ts";

const dir = "data";
const sim = new SimWorld(20260301);

/** One life of the program: a log and one destination that has come as far as `passed`. */
class Life {
  readonly world: World = sim.boot();
  readonly node = claimDirectory(this.world, dir, "the maker of the golden log");
  readonly mark = new LocalWatermark();
  readonly cursor = openCursor(this.world, dir, "out", this.node, { fresh: 0 as Position, lost: 0 as Position });
  readonly writer = new SegmentWriter(this.world, dir, this.node, this.mark, {
    segmentBytes: 8192,
    reserveBytes: 0,
    recycle: false,
    destinations: () => new Map([[destinationKey("out"), this.cursor.position]]),
    report: (text) => console.error(text),
  });

  /** A commit of these requests, each an entry of so many messages. */
  async commit(...requests: readonly { topic: string; texts: readonly string[]; key?: Uint8Array }[]): Promise<void> {
    for (const { topic, texts, key } of requests) {
      const head: EntryHead = {
        timestamp: this.world.clock.now(),
        shared: { topic, ip: "192.0.2.7" },
        ...(key && { idempotency: { key, body: key.toReversed() } }),
      };
      const messages = texts.map((text) => {
        return { fields: {}, data: new TextEncoder().encode(JSON.stringify({ text })), dataIsJson: true };
      });
      this.writer.append(encodeEntry(head, messages), texts.length, key ? flagIdempotency : 0);
    }
    await sim.run(this.writer.durable());
    await sim.run(1500);
  }
  read(from = 0): ReturnType<SegmentReader["next"]> {
    const reader = new SegmentReader(this.world, dir, this.node, from as Position, this.mark);
    const items = reader.next({ count: Infinity, bytes: Infinity });
    reader.close();
    return items;
  }
  async end(): Promise<void> {
    await sim.run(this.writer.close());
    this.cursor.close();
    sim.killProcess();
  }
}

const first = new Life();
await first.commit({ topic: "trimmed", texts: ["long gone ".repeat(396)] });
await first.commit({ topic: "one", texts: ["the first that is left"] });
await first.commit(
  { topic: "two", texts: ["a", "b", "c"] },
  { topic: "two", texts: ["Größe €", "\u{1f600}"], key: Uint8Array.from({ length: 16 }, (_, i) => i) },
  { topic: "two", texts: [""] },
);
await first.commit({ topic: "large", texts: ["x".repeat(2800)] });
// Its first copy stands complete behind the seal of the segment before.
sim.failNth(1, "EIO", { kinds: ["sync"] });
await first.commit({ topic: "next", texts: ["in a segment of its own"] });
first.cursor.advance(3 as Position, { taken: 2, filtered: 1 });
first.cursor.sync();
first.writer.trim(1 as Position);
await first.end();

const second = new Life();
await sim.run(second.writer.probe());
await sim.run(10_000);
await second.commit({ topic: "again", texts: ["under epoch 2", "and one more"] });
second.cursor.restart(1 as Position);
second.cursor.advance(9 as Position, { taken: 3, filtered: 1, sampled: 1, dead: 2, skipped: 1 });
second.cursor.sync();
const dead = new DeadLetters(second.world, `${dir}/dead/out`, {
  node: second.node,
  bytesMax: 1 << 20,
  report: (text) => console.error(text),
});
const messages = second.read(1).flatMap((item) => "bytes" in item ? decodeEntry(item.bytes) : []);
const refused = [2, 3].map((position) => {
  const message = messages[position - 1]!;
  const id = `${second.node}-1-${position}`;
  return { delivery: { id, position: position as Position, message, body: message.data }, reason: "too odd" };
});
await sim.run(dead.keep(refused, 1, 1));
await sim.run(dead.close());
await second.end();

const left = new Map(sim.filesUnder(dir).map((path) => [path, sim.fileBytes(path)]));
const last = new Life();
const { position, durable, start, generation, counts, paused } = last.cursor;
const { destinations, ...mark } = peekMark(sim.files, dir)!;
const held = {
  node: last.node,
  epoch: last.writer.recovered.epoch,
  low: 1,
  mark: { ...mark, destinations: Object.fromEntries(destinations) },
  cursors: { out: { position, durable, start, generation, counts, paused } },
  entries: last.read(1).map((item) => ({
    ...item,
    bytes: "bytes" in item ? Buffer.from(item.bytes).toString("base64") : "",
  })),
  segments: last.writer.recovered.segments.map(({ name, base, bytes }) => ({ name, base, bytes })),
};
sim.killProcess();

const to = Deno.args[0]!;
for (const [path, bytes] of left) {
  if (path.endsWith("/LOCK")) continue;
  const target = `${to}/log-v1${path.slice(dir.length)}`;
  Deno.mkdirSync(target.slice(0, target.lastIndexOf("/")), { recursive: true });
  Deno.writeFileSync(target, bytes);
}
Deno.writeTextFileSync(`${to}/log-v1.json`, JSON.stringify(held, undefined, 2) + "\n");
