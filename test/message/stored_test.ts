import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { formatter } from "../../src/message/format.ts";
import type { Fields } from "../../src/message/message.ts";
import { EntryReader, UnreadableEntry } from "../../src/message/stored.ts";
import { decodeEntry, EntryWriter, tagOf } from "../../src/message/wire.ts";
import { allKinds, arrival } from "./kinds.ts";

const utf8 = new TextEncoder();
/** A letter a byte, whatever they are. */
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
const prefix = "9f3c01aa27de4410-3-";
const names: (keyof Fields)[] = [
  ...["topic", "env", "version", "type", "level", "id", "key", "submittedTimestamp", "ip", "peerIp"] as const,
  ...["referrer", "userAgent", "cookies", "traceparent", "tracestate", "attributes", "schema"] as const,
];

/** A value's bytes as an entry may hold them: mostly what people send, now and then what nobody should. */
const value = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom("web", "prod", "", "7", "Mozilla/5.0 (X11)", "Zo\u00eb \u2603 \u{1f600}").map(bytesOf),
  },
  { weight: 2, arbitrary: fc.string({ unit: "grapheme" }).map(bytesOf) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('a"b', "a\\", "\0", "\u2028\u2029\u0085\u007f", "\r\n", "\ufeffx").map(bytesOf),
  },
  // Halves of characters, as some write them, and other bytes that are no UTF-8.
  {
    weight: 1,
    arbitrary: fc.constantFrom([0xed, 0xa0, 0x80], [0xc0, 0xaf], [0x61, 0xff], [0xf4, 0x90, 0x80, 0x80]).map(of),
  },
);
const time = fc.constantFrom(
  ...["1772366400000", "0", "00", "-1", "-", "12345678901234567", "999999999999999"]
    .concat(["2026-03-01T12:00:00Z", "", "1e3", "-x", "9007199254740993"]).map(bytesOf),
);
const object = fc.constantFrom("{}", '{"a":"b\\"c"}', '{"a":\n1}', '{"\u00e4":"\u2028"}').map(bytesOf);

function bytesOf(text: string): Uint8Array {
  return utf8.encode(text);
}
function of(bytes: readonly number[]): Uint8Array {
  return Uint8Array.from(bytes);
}

type Given = readonly (readonly [keyof Fields, Uint8Array])[];
const fields: fc.Arbitrary<Given> = fc.subarray(names).chain((chosen) =>
  fc.tuple(...chosen.map((name) =>
    fc.tuple(
      fc.constant(name),
      name === "submittedTimestamp" ? time : name === "cookies" || name === "attributes" ? object : value,
    )
  ))
);
const payload = fc.oneof(
  fc.record({
    data: fc.constantFrom("{}", "", '{"a":[1,\r\n2]}', `"${"x".repeat(100)}"`, `["${"y".repeat(100)}",\n1]`).map(
      bytesOf,
    ),
    isJson: fc.constant(true),
  }),
  fc.record({ data: fc.uint8Array({ maxLength: 100 }), isJson: fc.boolean() }),
);
const messages = fc.array(
  fc.record({ fields, payload, submittedMs: fc.constantFrom(undefined, arrival, arrival - 1e9, arrival + 1e9) }),
  { minLength: 1, maxLength: 5 },
);

interface Sent {
  readonly fields: Given;
  readonly payload: { readonly data: Uint8Array; readonly isJson: boolean };
  readonly submittedMs: number | undefined;
}

function entryOf(shared: Given, sent: readonly Sent[]): Uint8Array {
  const entry = new EntryWriter();
  entry.begin({ timestamp: arrival });
  for (const [name, bytes] of shared) entry.span(tagOf(name), bytes, 0, bytes.length);
  for (const { fields, payload: { data, isJson }, submittedMs } of sent) {
    entry.open();
    for (const [name, bytes] of fields) entry.span(tagOf(name), bytes, 0, bytes.length);
    if (submittedMs !== undefined) entry.submitted(submittedMs);
    entry.data(data, 0, data.length, isJson);
    entry.shut();
  }
  return entry.bytes();
}

for (const format of ["json", "json-v2"]) {
  Deno.test(`M2.3 M5.2 ${format} from the bytes of an entry is what it is from a message, whatever is in its fields`, () => {
    // One of each for all runs: what it keeps of a message must not leak into the next.
    const write = formatter(format);
    const reader = new EntryReader();
    let [direct, all] = [0, 0];
    fc.assert(
      fc.property(
        fields,
        messages,
        fc.constantFrom(0, 9, 10, 2 ** 31, 2 ** 32 + 7, 2 ** 53 - 9),
        (shared, sent, first) => {
          const entry = entryOf(shared, [...sent, ...sent]);
          const expected = decodeEntry(entry).map((message, i) =>
            textOf(write(message, message.id ?? `${prefix}${first + i}`))
          );
          reader.open(entry);
          for (let i = 0; reader.next(); i++) {
            all++;
            if (!write.stored!.write(reader, prefix, first + i)) continue;
            direct++;
            const { bytes, from, to } = write.stored!;
            assert.equal(textOf(bytes.subarray(from, to)), expected[i]);
          }
        },
      ),
      { numRuns: 2000 },
    );
    assert.ok(direct > all / 20, `${direct} of ${all}`);
  });
}

Deno.test("what is plain is written directly, and so is text of any language", () => {
  const plain: Given = names.map((name) => {
    const json = name === "cookies" || name === "attributes";
    return [name, bytesOf(name === "submittedTimestamp" ? "1772366400000" : json ? '{"a":"b"}' : "Zo\u00eb \u2603")];
  });
  const sent = { fields: plain, payload: { data: bytesOf("{}"), isJson: true }, submittedMs: arrival };
  const reader = new EntryReader();
  reader.open(entryOf([], [sent]));
  assert.ok(reader.next() && formatter("json").stored!.write(reader, prefix, 0));
});

Deno.test("lines stay as they were when others are written, however long", () => {
  const { stored } = formatter("json");
  const reader = new EntryReader();
  const lines = Array.from({ length: 2000 }, (_, i) => {
    const data = bytesOf(JSON.stringify("x".repeat(i % 100 === 0 ? 300_000 : i)));
    const fields: Given = [["topic", bytesOf("t")], ["env", bytesOf(`e${i >> 2}`)]];
    reader.open(entryOf([], [{ fields, payload: { data, isJson: true }, submittedMs: undefined }]));
    assert.ok(reader.next() && stored!.write(reader, prefix, i));
    return { data, line: stored!.bytes.subarray(stored!.from, stored!.to) };
  });
  lines.forEach(({ data, line }, i) => {
    const head = `{"id":"${prefix}${i}","timestamp":${arrival},"topic":"t","env":"e${i >> 2}"`;
    assert.equal(textOf(line), `${head},"data":${textOf(data)}}`);
  });
});

Deno.test("the message that a reader has come to says of itself what the message says that it gives away", () => {
  const entry = new EntryWriter();
  entry.begin({ timestamp: arrival });
  for (const { data, dataIsJson, submittedMs, timestamp: _, ...fields } of allKinds) {
    entry.open();
    entry.fields(fields);
    if (submittedMs !== undefined) entry.submitted(submittedMs);
    entry.data(data, 0, data.length, dataIsJson);
    entry.shut();
  }
  const reader = new EntryReader();
  let [at, kind] = [0, 0];
  for (reader.open(entry.bytes()); reader.next(); kind++) {
    const message = reader.message();
    assert.deepEqual(message, allKinds[kind]);
    for (const name of [...names, "data", "dataIsJson", "submittedMs", "timestamp"] as const) {
      assert.deepEqual(reader[name], message[name]);
    }
    if (kind === 1) at = reader.at;
  }
  reader.seek(at);
  assert.deepEqual(reader.message(), allKinds[1]);
});

Deno.test("bytes that are no entry are told from mistakes of ours", () => {
  const reader = new EntryReader();
  assert.throws(() => reader.open(Uint8Array.of(1, 0)), UnreadableEntry);
  assert.throws(() => reader.open(new Uint8Array(0)), UnreadableEntry);
});
