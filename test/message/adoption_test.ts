import assert from "node:assert/strict";
import { adoptEntry } from "../../src/message/adoption.ts";
import { decodeEntry, encodeEntry } from "../../src/message/wire.ts";

const data = (text: string) => new TextEncoder().encode(text);
const idOf = (index: number) => `node-1-${100 + index}`;
const entry = encodeEntry({ timestamp: 1234.5, shared: { topic: "t", cookies: '{"a":"b"}' } }, [
  { fields: {}, data: data("1"), dataIsJson: true },
  { fields: { id: "own", level: "info" }, submittedMs: 7, data: data("two"), dataIsJson: false },
  { fields: { topic: "other" }, data: data("3"), dataIsJson: true },
]).slice();

Deno.test("M3.5 adopted messages are as they were, but for an id where there was none", () => {
  const [adopted, ...more] = adoptEntry(entry, { idOf, skip: 0, bytesMax: 1 << 20 });
  assert.deepEqual([adopted!.count, more], [3, []]);
  const before = decodeEntry(entry);
  assert.deepEqual(
    decodeEntry(adopted!.bytes),
    before.map((message, i) => ({ ...message, id: ["node-1-100", "own", "node-1-102"][i] })),
  );
});

Deno.test("ids count from the beginning of the entry, wherever adoption begins", () => {
  const [adopted] = adoptEntry(entry, { idOf, skip: 2, bytesMax: 1 << 20 });
  assert.deepEqual(decodeEntry(adopted!.bytes).map(({ id, topic }) => [id, topic]), [["node-1-102", "other"]]);
});

Deno.test("an entry that grows too long becomes several, in order", () => {
  const adopted = adoptEntry(entry, { idOf, skip: 0, bytesMax: 70 });
  assert.deepEqual(adopted.map(({ count }) => count), [1, 1, 1]);
  assert.deepEqual(adopted.flatMap(({ bytes }) => decodeEntry(bytes).map(({ id }) => id)), [
    "node-1-100",
    "own",
    "node-1-102",
  ]);
});

Deno.test("fields that all have alike are written once", () => {
  const long = "x".repeat(1000);
  const many = Array.from({ length: 100 }, () => ({ fields: {}, data: data("1"), dataIsJson: true }));
  const [adopted] = adoptEntry(
    encodeEntry({ timestamp: 1, shared: { topic: "t", userAgent: long } }, many).slice(),
    { idOf, skip: 0, bytesMax: 1 << 20 },
  );
  assert.ok(adopted!.bytes.length < 5000, `${adopted!.bytes.length} bytes`);
});
