/** Random bytes and changed requests, against a second reader. `FUZZ=200000` is the long form; see `FUZZ_SEED`. */
import assert from "node:assert";
import fc from "fast-check";
import { chance, pick } from "../sim/chance.ts";
import { type Asked, bytesOf, converse } from "./client.ts";
import { framed } from "./framing.ts";
import { next, requests, smuggled } from "./requests.ts";

const count = Number(Deno.env.get("FUZZ") ?? 10_000);
const firstSeed = Number(Deno.env.get("FUZZ_SEED") ?? 1);

const sources = requests.filter(({ raw }) => raw.length < 500);
const good = sources.filter(({ ends }) => !ends);
/** What readers of HTTP have stumbled over. */
const pieces = [
  "\r\n",
  "\n",
  "\r",
  "\0",
  " ",
  "\t",
  ":",
  ",",
  ";",
  "0",
  "f",
  "\x0b",
  "\xa0",
  "\xff",
  "\r\n\r\n",
  "\r\n ",
  "0\r\n\r\n",
  "2\r\n{}\r\n",
  "Content-Length: 3\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Host: y\r\n",
  "Connection: close\r\n",
  "Expect: 100-continue\r\n",
  "HTTP/1.0\r\n",
  smuggled,
];

/** A few requests behind each other, with a few changes. */
function mutated(random: () => number): string {
  let text = "";
  for (let i = pick(random, 3); i >= 0; i--) text += oneOf(pick(random, 5) === 0 ? sources : good, random).raw;
  for (let i = pick(random, 3); i > 0; i--) text = changed(text, random);
  return text + next;
}

function oneOf<T>(list: readonly T[], random: () => number): T {
  return list[pick(random, list.length)]!;
}

function changed(text: string, random: () => number): string {
  const at = pick(random, text.length);
  const to = at + pick(random, 8);
  switch (pick(random, 6)) {
    case 0:
      return text.slice(0, at) + text.slice(to);
    case 1:
      return text.slice(0, at) + String.fromCharCode(pick(random, 256)) + text.slice(at + 1);
    case 2:
      return text.slice(0, to) + text.slice(at);
    case 3:
      return text.slice(0, at) + oneOf(pieces, random) + text.slice(to);
    case 4:
      return text.slice(0, at) + text.slice(at, to).replace(/[a-z]/g, (letter) => letter.toUpperCase()) +
        text.slice(to);
    default:
      return text.slice(0, at) + oneOf(pieces, random) + text.slice(at);
  }
}

function cutAnywhere(bytes: Uint8Array, random: () => number): Uint8Array[] {
  const most = 1 + pick(random, 60);
  const cut: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = 1 + pick(random, most);
    cut.push(bytes.slice(at, at + length));
    at += length;
  }
  return cut;
}

/** Both readers see the same requests, however the bytes come, and nothing is asked behind a refusal. */
async function assertOneFraming(text: string, cut: (bytes: Uint8Array) => Uint8Array[]): Promise<void> {
  const bytes = bytesOf(text);
  const whole = await converse([bytes]);
  const pieces = await converse(cut(bytes));
  assert.equal(whole.reports.length + pieces.reports.length, 0);
  assert.equal(pieces.client.taken, whole.client.taken);
  assertSame(pieces.asked, whole.asked);
  const { requests, end } = framed(text);
  assertSame(whole.asked, requests);
  const replies = whole.client.replies.filter(({ status }) => status !== 100);
  const answered = replies.map(({ status }) => status);
  assert.ok(answered.slice(0, requests.length).every((status) => status === 204), `${answered}`);
  const more = answered.slice(requests.length);
  if (end === "refused") assert.ok(more.length === 1 && more[0]! >= 400, `${answered}`);
  if (end === "last") assert.deepEqual(more, []);
  assert.ok(more.length <= 1 && more.every((status) => status >= 400), `${answered}`);
  const goesOn = end === "open" && more.length === 0;
  assert.equal(replies.at(-1)?.headers.connection === "close", !goesOn);
}

/** Faster than a deep comparison. */
function assertSame(asked: readonly Asked[], wanted: readonly Asked[]): void {
  assert.equal(JSON.stringify(asked), JSON.stringify(wanted));
}

Deno.test(`P4 ${count} changed requests are framed in one way only`, async () => {
  const sum: Record<string, number> = {};
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    const random = chance(seed);
    const text = mutated(random);
    try {
      await assertOneFraming(text, (bytes) => cutAnywhere(bytes, random));
    } catch (cause) {
      throw new Error(`FUZZ_SEED=${seed} FUZZ=1: ${JSON.stringify(text)}`, { cause });
    }
    const { end, requests: { length } } = framed(text);
    const kind = `${end} after ${Math.min(length, 3)}`;
    sum[kind] = (sum[kind] ?? 0) + 1;
  }
  if (Deno.env.get("FUZZ_SHOW")) console.log(sum);
});

Deno.test("P4 any bytes at all are framed in one way only", async () => {
  const anything = fc.array(fc.oneof(fc.constantFrom(...pieces, next), fc.string({ unit: "binary-ascii" })), {
    maxLength: 20,
  });
  await fc.assert(
    fc.asyncProperty(
      anything,
      fc.nat(),
      (parts, seed) => assertOneFraming(parts.join(""), (bytes) => cutAnywhere(bytes, chance(seed))),
    ),
    { numRuns: 2000 },
  );
});
