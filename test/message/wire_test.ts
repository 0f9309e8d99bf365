import assert from "node:assert/strict";
import fc from "fast-check";
import type { Fields, Message } from "../../src/message/message.ts";
import { decodeEntry, encodeEntry, type EntryHead, idempotencyOf, type Incoming } from "../../src/message/wire.ts";

const golden = new URL("../golden/entry-v1", import.meta.url);
const encode = (text: string) => new TextEncoder().encode(text);

const head: EntryHead = { timestamp: 1_772_366_400_000, shared: { topic: "t" } };

function incoming(data: string | Uint8Array, fields: Fields = {}, submittedMs?: number): Incoming {
  const bytes = typeof data === "string" ? encode(data) : data;
  const submitted = submittedMs === undefined ? {} : { submittedMs };
  return { fields, data: bytes, dataIsJson: typeof data === "string", ...submitted };
}
/** What `decodeEntry` must give back. */
function expected({ timestamp, shared }: EntryHead, messages: readonly Incoming[]): Partial<Message>[] {
  return messages.map(({ fields, submittedMs, data, dataIsJson }) => ({
    timestamp,
    ...shared,
    ...fields,
    ...(submittedMs === undefined ? {} : { submittedMs }),
    data,
    dataIsJson,
  }));
}
function assertRoundTrip(head: EntryHead, messages: readonly Incoming[]): void {
  assert.deepEqual(decodeEntry(encodeEntry(head, messages).slice()), expected(head, messages));
}
/** A field as it stands in an entry; only for lengths below 128. */
const field = (tag: number, ...bytes: number[]) => [tag, bytes.length, ...bytes];
const entryOf = (shared: number[], ...messages: number[][]) =>
  Uint8Array.from([1, 0, ...new Array(8).fill(0), ...[shared, ...messages].flatMap((part) => [part.length, ...part])]);

const names = [
  "id",
  "topic",
  "env",
  "version",
  "type",
  "level",
  "ip",
  "peerIp",
  "referrer",
  "userAgent",
  "cookies",
  "key",
  "submittedTimestamp",
  "traceparent",
  "attributes",
] as const;
// Fields come out of UTF-8, so they hold no lone surrogates; a byte order mark they may.
const anyText = fc.oneof(fc.string({ unit: "binary" }), fc.string(), fc.constant("\ufeffmark"));
const someFields: fc.Arbitrary<Fields> = fc.dictionary(fc.constantFrom(...names), anyText, { noNullPrototype: true });
const someMessage = fc.record({
  fields: someFields,
  data: fc.uint8Array({ maxLength: 400 }),
  dataIsJson: fc.boolean(),
  submittedMs: fc.double({ noNaN: true }),
}, { requiredKeys: ["fields", "data", "dataIsJson"] });
const sixteen = fc.uint8Array({ minLength: 16, maxLength: 16 });

Deno.test("what was encoded is decoded, message by message", () => {
  const someHead = fc.record({ timestamp: fc.nat(), shared: someFields });
  fc.assert(fc.property(someHead, fc.array(someMessage), assertRoundTrip), { numRuns: 1000 });
});

Deno.test("lengths at the borders of one, two, three and four bytes survive", () => {
  for (
    const length of [0, 1, 39, 40, 41, 126, 127, 128, 129, 16_381, 16_382, 16_383, 16_384, 16_385, 921_600, 2_097_152]
  ) {
    const text = "x".repeat(length);
    assertRoundTrip(head, [incoming("1"), incoming(new Uint8Array(length).fill(7)), incoming("2")]);
    assertRoundTrip(head, [incoming("1", { key: text }), incoming("2", { key: `${text}é` })]);
    assertRoundTrip({ ...head, shared: { topic: "t", userAgent: text } }, [incoming("1")]);
  }
});

Deno.test("an entry may have many messages, each with its own fields or the shared ones", () => {
  const shared = { topic: "t", ip: "192.0.2.7", env: "prod" };
  const messages = Array.from({ length: 5000 }, (_, i) => incoming(`${i}`, i % 2 ? { env: "test", key: `k${i}` } : {}));
  assertRoundTrip({ ...head, shared }, messages);
});

Deno.test("the idempotency key is kept, and does not touch the messages", () => {
  fc.assert(fc.property(sixteen, sixteen, fc.array(someMessage), (key, body, messages) => {
    const bytes = encodeEntry({ ...head, idempotency: { key, body } }, messages).slice();
    assert.deepEqual(idempotencyOf(bytes), { key, body });
    assert.deepEqual(decodeEntry(bytes), expected(head, messages));
  }));
  assert.equal(idempotencyOf(encodeEntry(head, [])), undefined);
});

Deno.test("a lone surrogate becomes U+FFFD", () => {
  const [message] = decodeEntry(encodeEntry(head, [incoming("1", { key: "a\ud800b" })]));
  assert.equal(message!.key, "a\ufffdb");
});

Deno.test("a message with a trace of its own does not take the state of the shared one", () => {
  const shared = { topic: "t", traceparent: "a", tracestate: "b" };
  const messages = [incoming("1"), incoming("2", { traceparent: "c", tracestate: "" }), incoming("3")];
  const read = decodeEntry(encodeEntry({ ...head, shared }, messages));
  assert.deepEqual(read.map(({ tracestate }) => tracestate), ["b", undefined, "b"]);
});

Deno.test("unknown tags are skipped, in what is shared and in a message", () => {
  const entry = entryOf(
    [...field(30, 1, 2, 3), ...field(2, 0x74), ...field(31)],
    [...field(200, 9), ...field(12, 0x6b), ...field(16, 0x31), ...field(20, 1)],
  );
  assert.deepEqual(decodeEntry(entry), [
    { timestamp: 0, topic: "t", key: "k", data: encode("1"), dataIsJson: true },
  ]);
});

Deno.test("an entry of another version is refused by its number", () => {
  assert.throws(() => decodeEntry(Uint8Array.of(2, 0, 0)), /its version is 2, this program reads 1/);
});

Deno.test("a field that reaches into the next message is refused", () => {
  const entry = entryOf([], field(16, 0x31), field(16, 0x32));
  entry[entry.indexOf(0x31) - 1] = 2;
  assert.throws(() => decodeEntry(entry), /Cannot read entry/);
});

Deno.test("an entry cut anywhere gives a prefix of its messages or throws", () => {
  const messages = Array.from({ length: 5 }, (_, i) => incoming(`${i}`, { key: `k${i}` }, i));
  const entry = encodeEntry(
    { ...head, idempotency: { key: encode("k".repeat(16)), body: encode("b".repeat(16)) } },
    messages,
  )
    .slice();
  const whole = decodeEntry(entry);
  for (let length = 0; length < entry.length; length++) {
    let read: Message[] | undefined;
    try {
      read = decodeEntry(entry.subarray(0, length));
    } catch (problem) {
      assert.ok(problem instanceof Error);
    }
    if (read) assert.deepEqual(read, whole.slice(0, read.length));
  }
});

Deno.test("any bytes are read or refused, never for ever", () => {
  const start = fc.constantFrom([1, 0], [1, 1]);
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 200 }), (first, rest) => {
      try {
        decodeEntry(Uint8Array.from([...first, ...rest]));
      } catch (problem) {
        assert.ok(problem instanceof Error);
      }
    }),
    { numRuns: 5000 },
  );
});

Deno.test("entries of version 1 are for ever readable", () => {
  const { head, messages } = goldenEntry();
  assert.deepEqual(decodeEntry(Deno.readFileSync(new URL(`${golden}.bin`))), expected(head, messages));
});

Deno.test("version 1 is written as it always was", () => {
  const { head, messages } = goldenEntry();
  assert.deepEqual(encodeEntry(head, messages).slice(), Deno.readFileSync(new URL(`${golden}.bin`)));
});

/** What the golden bytes hold; data is given as bytes of Latin-1. */
function goldenEntry(): { head: EntryHead; messages: Incoming[] } {
  const bytes = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const given = JSON.parse(Deno.readTextFileSync(new URL(`${golden}.json`)));
  const { key, body } = given.head.idempotency;
  return {
    head: { ...given.head, idempotency: { key: bytes(key), body: bytes(body) } },
    messages: given.messages.map((message: { data: string }) => ({ ...message, data: bytes(message.data) })),
  };
}
