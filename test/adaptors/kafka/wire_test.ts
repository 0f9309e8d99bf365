import assert from "node:assert";
import { RecordBatch } from "../../../adaptors/kafka/records.ts";
import { Addresses, type Headers, isTopicName, writeRecord } from "../../../adaptors/kafka/wire.ts";
import { fieldTemplate, keyTemplate } from "../../../adaptors/template.ts";
import type { Delivery } from "../../../src/deliver/adaptor.ts";
import { contentTypeOf } from "../../../src/message/format.ts";
import { delivery } from "./delivery.ts";
import { readBatch } from "./reading.ts";

Deno.test("a template takes the message's fields, and nothing for those it lacks", () => {
  const { message } = delivery(0, { topic: "web", env: "prod" });
  assert.equal(fieldTemplate("topic", "%topic%")(message), "web");
  assert.equal(fieldTemplate("topic", "%env%.%topic%-%level%.x")(message), "prod.web-.x");
  assert.equal(fieldTemplate("topic", "fixed")(message), "fixed");
});

Deno.test("a template with an unknown or open word is refused", () => {
  assert.throws(() => fieldTemplate("topic", "%user%"), /"%user%" is none of %topic%, %env%, %type%, %level%/);
  assert.throws(() => fieldTemplate("topic", "50%"), TypeError);
  assert.throws(() => fieldTemplate("topic", "%topic%%"), TypeError);
});

Deno.test("the names of Kafka's topics are 1 to 249 of its letters, and neither . nor ..", () => {
  for (const name of ["a", "A.b_c-9", "x".repeat(249), "..."]) assert.ok(isTopicName(name));
  for (const name of ["", ".", "..", "x".repeat(250), "a b", "ä", "a/b", "%env%"]) assert.ok(!isTopicName(name));
});

Deno.test("the fields that are present become headers; topic and key only where the templates changed them", async () => {
  const given = delivery(7, { topic: "web", env: "prod", userAgent: "ü", key: "k" });
  const named = async (topic: string, headers: Headers, key = "k") =>
    [...(await written(given, { topic, key }, headers)).headers].map(([name, value]) => `${name}=${value}`);
  const type = "content-type=application/octet-stream";
  const rest = ["env=prod", "user_agent=ü"];
  assert.deepEqual(await named("web", "all"), ["id=n-1-7", "timestamp=1007", type, ...rest]);
  assert.deepEqual(await named("prod.web", "all"), ["id=n-1-7", "timestamp=1007", type, "topic=web", ...rest]);
  assert.deepEqual(await named("web", "all", "prod"), ["id=n-1-7", "timestamp=1007", type, ...rest, "key=k"]);
  assert.deepEqual(await named("web", "id"), ["id=n-1-7"]);
  assert.deepEqual(await named("web", "none"), []);
});

Deno.test("key, time and body are kept; no key is not an empty key", async () => {
  const sent = (key?: string) => written(delivery(3, { body: [0, 255] }), { topic: "t", key }, "all");
  const { key, value, timestamp } = await sent("ä");
  assert.deepEqual([[...key!], [...value!], timestamp], [[0xc3, 0xa4], [0, 255], 1003]);
  assert.equal((await sent()).key, undefined);
  assert.equal((await sent("")).key!.length, 0);
});

Deno.test("messages in a row that go to the same place share one address", () => {
  const addresses = new Addresses({ topicOf: ({ topic }) => topic, keyOf: ({ key }) => key });
  const first = addresses.of(delivery(1, { key: "k" }));
  assert.equal(addresses.of(delivery(2, { key: "k" })), first);
  assert.notEqual(addresses.of(delivery(3)), first);
  assert.deepEqual(addresses.of(delivery(4, { topic: "u" })), { topic: "u", keyText: undefined, key: undefined });
});

/** The record that is made of it, as others read it. */
async function written(given: Delivery, to: { topic: string; key?: string | undefined }, headers: Headers) {
  const batch = new RecordBatch();
  const address = new Addresses({ topicOf: () => to.topic, keyOf: () => to.key }).of(given);
  const bytes = writeRecord(batch, given, address, { headers, contentTypeOf: contentTypeOf("raw") });
  assert.equal(batch.bytes - bytes, 61);
  return (await readBatch(batch)).records[0]!;
}

Deno.test("the key is the message's own, or what the template makes; of nothing comes no key", () => {
  const { message } = delivery(0, { topic: "web", env: "prod", key: "k" });
  const { message: bare } = delivery(0, { topic: "web" });
  const keys = (template: string) => [message, bare].map(keyTemplate("key", template));
  assert.deepEqual(keys("%key%"), ["k", undefined]);
  assert.deepEqual(keys("%env%"), ["prod", undefined]);
  assert.deepEqual(keys("%topic%/%key%"), ["web/k", "web/"]);
  assert.throws(() => keyTemplate("key", "%user%"), /"%user%" is none of %key%, %topic%, %env%, %type%, %level%/);
});
