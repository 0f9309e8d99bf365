/** Messages that come again under the ids of their senders. */
import assert from "node:assert";
import { type IdHistory, KnownIds } from "../../src/ingest/known_ids.ts";
import { LogStopped } from "../../src/log/mod.ts";
import { identitiesIn, identityText } from "../../src/message/identity.ts";
import { SimClock } from "../sim/clock.ts";
import { type Asked, type Node, openNode, request, textOf } from "./fakes.ts";

const nothingBefore: IdHistory = async function* () {};
const limits = { windowMs: 1000, idsMax: 100, charactersMax: 10_000 };
const safe = Promise.resolve();

function open(history: IdHistory = nothingBefore, settings = {}): Node & { readonly known: KnownIds; later: SimClock } {
  const later = new SimClock();
  const known = new KnownIds(later, history, limits);
  return { ...openNode(settings, [], { ids: known }), known, later };
}
const json = (body: string, headers = {}): Asked => ({
  body,
  headers: { "content-type": "application/json", ...headers },
});
const lines = (body: string): Asked => ({ body, headers: { "content-type": "application/x-ndjson" } });
const dataIn = ({ log }: Node) => log.messages.map(({ data }) => textOf(data));

/** Lets what was read before this start become known. */
async function warm(node: Node): Promise<void> {
  await node.ask("/log?topic=warm&id=warm");
}

Deno.test("M1.9 a message that comes again under its id is stored once, whichever way it comes", async () => {
  const node = open();
  await warm(node);
  const asked: [string, Asked | undefined][] = [
    ["/log?topic=t&id=a&n=1", undefined],
    ["/log?topic=t&id=a", json("1")],
    ["/log", json('{"topic":"t","id":"a","data":1}')],
    ["/log?topic=t", lines('{"data":1,"id":"a"}\n')],
    ["/log?topic=t&id=a", { body: "x", headers: { "content-type": "text/plain" } }],
    ["/tracker/t/s?id=a", undefined],
  ];
  for (const [i, [target, how]] of asked.entries()) {
    const answer = await node.ask(target, how ?? {});
    if (target.startsWith("/tracker")) assert.equal(answer.status, 200);
    else if (i === 1) assert.equal(answer.status, 400);
    else assert.deepEqual([answer.status, answer.headers["sparkngin-repeated"]], [204, i === 0 ? undefined : "1"]);
  }
  assert.equal(node.log.entries.length, 2);
  assert.equal(node.table.get("known"), 4);
});

Deno.test("of a batch those that are new are stored, and the receipt says how many came before", async () => {
  const node = open();
  await node.ask("/log?topic=t", lines('{"id":"a","data":1}\n{"id":"b","data":2}'));
  const body =
    '{"id":"c","data":3}\n{"id":"a","data":4}\n{"data":5}\n{"id":"c","data":6}\n{"topic":"u","id":"a","data":7}';
  const answer = await node.ask("/log?topic=t&receipt=1", lines(body));
  const { ids, repeated, ack } = JSON.parse(answer.body as string);
  assert.deepEqual([ids.length, ids[0], ids[2], repeated, ack], [3, "c", "a", 2, "disk"]);
  assert.equal(answer.headers["sparkngin-repeated"], "2");
  assert.deepEqual(dataIn(node), ["1", "2", "3", "5", "7"]);
  const again = await node.ask("/log?topic=t&receipt=1", lines('{"id":"a","data":1}'));
  assert.deepEqual(JSON.parse(again.body as string), { count: 0, repeated: 1, ack: "disk" });
});

Deno.test("an event is the same one only within its source", async () => {
  const node = open();
  const event = (source: string) => ({ "ce-specversion": "1.0", "ce-id": "1", "ce-source": source, "ce-type": "t" });
  for (const source of ["/a", "/b", "/a"]) {
    await node.ask("/log?topic=t", { body: "", headers: event(source), method: "POST" });
  }
  await node.ask("/log?topic=t&id=1");
  assert.equal(node.log.messages.length, 3);
});

Deno.test("who comes again while the first is not yet safe hears yes only with it", async () => {
  const node = open();
  await warm(node);
  const first = node.handle(request("/log?topic=t&id=a"));
  let answered = 0;
  const again = Promise.resolve(node.handle(request("/log?topic=t&id=a"))).then((answer) => (answered = answer.status));
  for (let i = 0; i < 20; i++) await Promise.resolve();
  assert.equal(answered, 0);
  node.log.commit();
  assert.equal((await first).status, 204);
  await again;
  assert.deepEqual([answered, node.log.entries.length], [204, 2]);
});

Deno.test("P7 when the first did not become safe, the next one counts as the first, and nobody is told yes", async () => {
  const node = open();
  await warm(node);
  const first = node.handle(request("/log?topic=t&id=a"));
  const again = Promise.resolve(node.handle(request("/log?topic=t&id=a")));
  const mixed = Promise.resolve(node.handle(request("/log?topic=t", lines('{"id":"a"}\n{"id":"b"}'))));
  for (let i = 0; i < 20; i++) await Promise.resolve();
  node.log.commit(new LogStopped("Cannot write", "unknown", undefined));
  for (const answer of [await first, await again, await mixed]) assert.equal(answer.status, 503);
  const next = await node.ask("/log?topic=t&id=a");
  assert.deepEqual([next.status, next.headers["sparkngin-repeated"]], [204, undefined]);
});

Deno.test("what a refused request brought is not known", async () => {
  const node = open();
  await node.ask("/log?topic=t", lines('{"id":"a"}\n{'));
  node.log.refusal = new LogStopped("Cannot write", "refused", undefined);
  await node.ask("/log?topic=t&id=a");
  node.log.refusal = undefined;
  const answer = await node.ask("/log?topic=t&id=a");
  assert.deepEqual([answer.headers["sparkngin-repeated"], node.log.entries.length], [undefined, 1]);
});

Deno.test("what came before this start is read once, when somebody sends an id, and nobody else waits for it", async () => {
  let reads = 0;
  const node = open(async function* () {
    reads++;
    yield [identityText("t", "a")];
  });
  await node.ask("/log?topic=t");
  await node.ask("/log?topic=t", json("{}"));
  assert.equal(reads, 0);
  const answer = await node.ask("/log?topic=t", lines('{"id":"a","data":1}\n{"id":"b","data":2}'));
  assert.equal(answer.headers["sparkngin-repeated"], "1");
  await node.ask("/log?topic=t&id=c");
  assert.deepEqual([reads, dataIn(node)], [1, ["{}", "{}", "2", "{}"]]);
});

Deno.test("while the log cannot be read, who sends an id is told to come again, and nothing is kept", async () => {
  let fails = true;
  const node = open(async function* () {
    if (fails) throw new Error("no handles");
    yield* [];
  });
  for (const asked of [undefined, lines('{"id":"a"}')]) {
    const refused = await node.ask(asked ? "/log?topic=t" : "/log?topic=t&id=a", asked);
    assert.deepEqual([refused.status, node.log.entries.length], [503, 0]);
  }
  fails = false;
  assert.equal((await node.ask("/log?topic=t&id=a")).status, 204);
});

Deno.test("bad lines and ids that come again are both told of", async () => {
  const node = open(nothingBefore, { bad_topic: "bad" });
  await warm(node);
  const body = '{"id":"a"}\n{"id":"b"} x\n{"id":"a"}\n{"id":"b"}';
  const { headers } = await node.ask("/log?topic=t&on_bad=divert", lines(body));
  assert.deepEqual([headers["sparkngin-diverted"], headers["sparkngin-repeated"]], ["1", "1"]);
  assert.equal(node.log.messages.length, 4);
});

Deno.test("an id is known for the window at least, and forgotten soon after", async () => {
  const clock = new SimClock();
  const known = new KnownIds(clock, nothingBefore, limits);
  await known.ready();
  known.add(["a"], safe);
  for (let ms = 0; ms < 1000; ms += 100) {
    known.forgetOld();
    assert.ok(known.has("a"), String(ms));
    known.add([`other ${ms}`], safe);
    await clock.run(100);
  }
  await clock.run(300);
  known.forgetOld();
  assert.ok(!known.has("a"));
  await clock.run(10_000);
  known.forgetOld();
  assert.ok(!known.has("other 900"));
});

Deno.test("no more are known than fit: the oldest go first", async () => {
  const known = new KnownIds(new SimClock(), nothingBefore, limits);
  const all = Array.from({ length: 1000 }, (_, i) => `${i}`);
  for (const id of all) known.add([id], safe);
  const left = all.filter((id) => known.has(id));
  assert.ok(left.length <= 100 && left.length >= 75, String(left.length));
  assert.deepEqual(left, all.slice(-left.length));
  for (const id of all) known.add([id.padStart(1000)], safe);
  assert.ok(all.filter((id) => known.has(id.padStart(1000))).length <= 10);
});

Deno.test("the ids of an entry are found as they were looked for", async () => {
  const node = open();
  await node.ask("/log?topic=t", lines('{"id":"a"}\n{"data":1}\n{"topic":"u","id":"b"}'));
  const event = { "ce-specversion": "1.0", "ce-source": "/s", "ce-type": "t" };
  for (const id of ["1", "%E2%98%83"]) {
    await node.ask("/log?topic=t", { body: "", method: "POST", headers: { ...event, "ce-id": id } });
  }
  const found = node.log.entries.flatMap((entry) => identitiesIn(entry));
  for (const identity of found) assert.ok(node.known.has(identity), identity);
  assert.deepEqual(found, [
    identityText("t", "a"),
    identityText("u", "b"),
    identityText("t", "1", "/s"),
    identityText("t", "☃", "/s"),
  ]);
});
