import assert from "node:assert/strict";
import type { Entry, Position } from "../../src/log/mod.ts";
import { countsOf, select } from "../../src/deliver/select.ts";
import { encodeEntry } from "../../src/message/wire.ts";
import { textOf, utf8 } from "./node.ts";

const selector = {
  node: "9f3c01aa27de4410",
  wants: () => true,
  format: (message: { data: Uint8Array }) => message.data,
};

function entry(position: number, ...payloads: string[]): Entry {
  const messages = payloads.map((payload) => ({
    fields: { topic: "t", ...(payload.startsWith("id:") ? { id: payload.slice(3) } : {}) },
    data: utf8.encode(payload),
    dataIsJson: false,
  }));
  const bytes = encodeEntry({ timestamp: 5, shared: {} }, messages).slice();
  return { position: position as Position, count: payloads.length, epoch: 3, time: 7, bytes };
}

Deno.test("P7 an id is node-epoch-position, or the client's own", () => {
  const { batch } = select([entry(41, "a", "id:mine")], { from: 41 as Position }, selector);
  assert.deepEqual(batch.map(({ id }) => id), ["9f3c01aa27de4410-3-41", "mine"]);
});

Deno.test("an entry that begins before the cursor is delivered from the cursor on", () => {
  const { batch, end } = select([entry(10, "a", "b", "c")], { from: 12 as Position }, selector);
  assert.deepEqual([batch.map(({ body }) => textOf(body)), end], [["c"], 13]);
});

Deno.test("P2 every position gets a verdict: gaps, unreadable entries and short ones too", () => {
  const items = [
    { position: 0 as Position, count: 3, why: "trimmed" as const },
    entry(3, "a"),
    { position: 4 as Position, count: 2, why: "damaged" as const },
    { ...entry(6, "b", "c"), bytes: new Uint8Array([9, 9, 9]) },
    { ...entry(8, "d"), count: 2 },
  ];
  const { batch, end, passed, lost } = select(items, { from: 0 as Position }, selector);
  assert.deepEqual(batch.map(({ position }) => position), [3]);
  assert.deepEqual([end, countsOf(passed).expired, countsOf(passed).damaged, lost.length], [10, 3, 6, 4]);
});

Deno.test("a gap that reaches back before the cursor counts from the cursor", () => {
  const gap = { position: 0 as Position, count: 10, why: "damaged" as const };
  assert.equal(countsOf(select([gap], { from: 8 as Position }, selector).passed).damaged, 2);
});

Deno.test("M4.16 the filter comes first, then the sample, by the id that goes out; each verdict is counted", () => {
  const items = [entry(0, "a", "debug", "id:mine", "b", "debug")];
  const seen: string[] = [];
  const samples = (id: string) => seen.push(id) > 0 && id !== "mine";
  const wants = ({ data }: { data: Uint8Array }) => textOf(data) !== "debug";
  const { batch, passed, end } = select(items, { from: 0 as Position }, { ...selector, wants, samples });
  assert.deepEqual([batch.map(({ body }) => textOf(body)), end], [["a", "b"], 5]);
  assert.deepEqual([countsOf(passed).filtered, countsOf(passed).sampled], [2, 1]);
  assert.deepEqual(seen, ["9f3c01aa27de4410-3-0", "mine", "9f3c01aa27de4410-3-3"]);
});
