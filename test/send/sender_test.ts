import assert from "node:assert/strict";
import type { Chunk } from "../../src/send/chunk.ts";
import { Sender, type SenderParts, SendingEnded } from "../../src/send/sender.ts";
import type { Reply } from "../../src/send/verdict.ts";
import { chunk, reply, textOf } from "./lines.ts";

interface Told {
  readonly posts: { readonly key: string; readonly texts: readonly string[] }[];
  readonly pauses: number[];
  readonly refused: string[];
}

function open(answer: (part: Chunk, number: number) => Reply | Promise<Reply>, more: Partial<SenderParts> = {}) {
  const told: Told = { posts: [], pauses: [], refused: [] };
  let now = 0;
  const sender = new Sender({
    clock: {
      now: () => now,
      elapsed: () => now,
      async sleep(ms) {
        told.pauses.push(ms);
        now += ms;
      },
      turn: (run) => run(),
    },
    random: () => 1,
    inFlight: 2,
    async post(part) {
      told.posts.push({ key: part.key, texts: textOf(part) });
      return await answer(part, told.posts.length);
    },
    patienceMs: () => 60_000,
    refuse: (line, why) => void told.refused.push(`${line.number}: ${why}`),
    wait() {},
    ...more,
  });
  return { sender, told };
}

async function sendAll(sender: Sender, chunks: readonly Chunk[]): Promise<number> {
  let settled = 0;
  for (const one of chunks) await sender.offer(one, () => void settled++);
  await sender.finish();
  return settled;
}

Deno.test("M6 what is taken is counted and settled", async () => {
  const { sender } = open(() => reply(204));
  assert.equal(await sendAll(sender, [chunk(["a", "b"]), chunk(["c"])]), 2);
  assert.deepEqual(sender.sent, { lines: 3, bytes: 6, requests: 2, refused: 0 });
});

Deno.test("M6 a server that is away is asked again under the same key, ever more slowly, as it asks for", async () => {
  const { sender, told } = open((_, number) => {
    if (number === 1) throw new Error("nothing listens there");
    return number < 4 ? reply(503, {}, number === 2 ? "5" : undefined) : reply(204);
  });
  await sendAll(sender, [chunk(["a"])]);
  assert.deepEqual(told.posts.map(({ key }) => key), ["k", "k", "k", "k"]);
  assert.deepEqual(told.pauses, [100, 5000, 400]);
});

Deno.test("a server that stays away ends it after the patience, with the reason", async () => {
  const { sender, told } = open(() => {
    throw new Error("nothing listens there");
  });
  await assert.rejects(sendAll(sender, [chunk(["a"])]), (problem) => {
    assert.ok(problem instanceof SendingEnded);
    assert.deepEqual([problem.reason, problem.message], ["unreachable", "nothing listens there"]);
    return true;
  });
  assert.ok(told.posts.length > 5);
});

Deno.test("who is only too fast is waited for as long as it takes", async () => {
  const { sender } = open((_, number) => number < 100 ? reply(429, {}, "30") : reply(204));
  assert.equal(await sendAll(sender, [chunk(["a"])]), 1);
});

Deno.test("M6 a refused line is told and left out, the others go on under keys of their own", async () => {
  const { sender, told } = open((part) => {
    const bad = textOf(part).findIndex((text) => text.startsWith("bad"));
    return bad < 0 ? reply(204) : reply(400, { detail: "no", line: bad + 1 });
  });
  assert.equal(await sendAll(sender, [chunk(["a", "bad1", "b", "bad2", "c"])]), 1);
  assert.deepEqual(told.refused, ["2: no", "4: no"]);
  assert.deepEqual(told.posts.at(-1)!.texts, ["a", "b", "c"]);
  assert.equal(new Set(told.posts.map(({ key }) => key)).size, 3);
  assert.deepEqual(sender.sent, { lines: 3, bytes: 6, requests: 3, refused: 2 });
});

Deno.test("the same lines have the same key whenever they are sent again", async () => {
  const { sender, told } = open((part) => textOf(part)[0] === "bad" ? reply(400, { line: 1 }) : reply(204));
  await sendAll(sender, [chunk(["bad", "a"]), chunk(["bad", "a"])]);
  const keys = told.posts.filter(({ texts }) => texts.length === 1).map(({ key }) => key);
  assert.equal(keys.length, 2);
  assert.equal(keys[0], keys[1]);
});

Deno.test("a request that is too large goes in parts, down to the line that is", async () => {
  const { sender, told } = open((part) =>
    part.lines.length > 1 || textOf(part)[0] === "big" ? reply(413, { detail: "large" }) : reply(204)
  );
  assert.equal(await sendAll(sender, [chunk(["a", "b", "big", "c"], "lines")]), 1);
  assert.deepEqual(told.refused, ["3: large"]);
  assert.equal(sender.sent.lines, 3);
});

Deno.test("what nobody would take ends it, and says why", async () => {
  const reasons = [[401, "not allowed"], [403, "not allowed"], [404, "not found"], [415, "refused"]] as const;
  for (const [status, reason] of reasons) {
    const { sender } = open(() => reply(status, { detail: "no" }));
    const problem = await sendAll(sender, [chunk(["a"]), chunk(["b"])]).catch((problem) => problem);
    assert.deepEqual([problem.reason, problem.message], [reason, "no"]);
  }
});

Deno.test("no more requests are under way at once than allowed, and what is behind a failure is not begun", async () => {
  let now = 0;
  let most = 0;
  const { sender } = open(async () => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setTimeout(resolve, 1));
    now--;
    return reply(204);
  }, { inFlight: 3 });
  await sendAll(sender, Array.from({ length: 10 }, (_, i) => chunk(["a"], "ndjson", `${i}`)));
  assert.equal(most, 3);
  const failing = open((_, number) => reply(number > 1 ? 401 : 204), { inFlight: 1 });
  await assert.rejects(sendAll(failing.sender, Array.from({ length: 10 }, () => chunk(["a"]))));
  assert.ok(failing.told.posts.length <= 3);
});
