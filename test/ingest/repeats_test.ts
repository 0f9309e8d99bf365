import assert from "node:assert";
import { identityOf, type Recalled, Repeats } from "../../src/ingest/repeats.ts";
import { isProblem } from "../../src/ingest/problem.ts";
import type { Position } from "../../src/log/mod.ts";
import type { Idempotency } from "../../src/message/wire.ts";
import { SimClock } from "../sim/clock.ts";
import { bytesOf } from "./fakes.ts";

function identity(key: string, body = "body", scope = ""): Idempotency {
  const found = identityOf(key, scope, [bytesOf(body)]);
  assert.ok(!isProblem(found), key);
  return found;
}

function open(history: Recalled[] = [], keysMax = 100) {
  const clock = new SimClock();
  const asked: number[] = [];
  const repeats = new Repeats(clock, async function* (windowMs) {
    asked.push(windowMs);
    yield* history;
  }, { windowMs: 120_000, keysMax });
  return { clock, repeats, asked };
}

const kept = (first: number) => ({ first: first as Position, epoch: 1, count: 1 });
const codeOf = (found: object | undefined) => found && isProblem(found) ? found.code : found;

Deno.test("M1.9: the first request passes, the second is told to wait, the third is told where the first one's messages are", () => {
  const { repeats } = open();
  const one = identity("a");
  assert.equal(repeats.find(one), undefined);
  repeats.begin(one);
  assert.equal(codeOf(repeats.find(one)), "under-way");
  repeats.settle(one, kept(7));
  assert.deepEqual(repeats.find(one), kept(7));
  assert.equal(codeOf(repeats.find(identity("a", "other"))), "key-reused");
  assert.equal(repeats.find(identity("a", "body", "somebody else")), undefined);
});

Deno.test("M1.9: a request that came to nothing may come again", () => {
  const { repeats } = open();
  repeats.begin(identity("a"));
  repeats.settle(identity("a"), undefined);
  assert.equal(repeats.find(identity("a")), undefined);
});

Deno.test("M1.9 P16: a key is kept in mind for two minutes, and no more than so many are", async () => {
  const { clock, repeats } = open([], 3);
  for (const [i, key] of ["a", "b", "c", "d"].entries()) {
    repeats.begin(identity(key));
    repeats.settle(identity(key), kept(i));
  }
  assert.deepEqual(["a", "b", "d"].map((key) => repeats.find(identity(key))), [undefined, kept(1), kept(3)]);
  await clock.run(clock.sleep(120_000));
  assert.deepEqual(repeats.find(identity("d")), kept(3));
  await clock.run(clock.sleep(1));
  assert.equal(repeats.find(identity("d")), undefined);
});

Deno.test("M1.9: what was kept before the start is known after it, and is looked for once", async () => {
  const { repeats, asked } = open([{ identity: identity("a"), ...kept(3) }]);
  await Promise.all([repeats.ready(), repeats.ready()]);
  assert.deepEqual(asked, [120_000]);
  assert.deepEqual(repeats.find(identity("a")), kept(3));
  assert.equal(codeOf(repeats.find(identity("a", "other"))), "key-reused");
});

Deno.test("M1.9: when the log cannot be read the next request tries again", async () => {
  const clock = new SimClock();
  let tries = 0;
  const repeats = new Repeats(clock, async function* () {
    if (tries++ === 0) throw new Error("cannot read");
    yield* [];
  }, { windowMs: 1000, keysMax: 10 });
  await assert.rejects(repeats.ready(), /cannot read/);
  await repeats.ready();
  assert.equal(tries, 2);
});

Deno.test("M1.9: a key is printable ASCII, in quotes or without; what stands in a part cannot pass for another's", () => {
  assert.deepEqual(identity('"a"'), identity("a"));
  for (const bad of ["", '""', "é", "a\u0007b", "x".repeat(256)]) {
    const found = identityOf(bad, "", []);
    assert.ok(isProblem(found), bad);
    assert.equal(found.field, "Idempotency-Key");
  }
  assert.notDeepEqual(identityOf("k", "", ["ab", "c"]), identityOf("k", "", ["a", "bc"]));
});
