import assert from "node:assert";
import { type Headers, isTopicName, outgoing } from "../../../adaptors/kafka/wire.ts";
import { fieldTemplate, keyTemplate } from "../../../adaptors/template.ts";
import { delivery } from "./delivery.ts";

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

Deno.test("the fields that are present become headers; topic and key only where the templates changed them", () => {
  const given = delivery(7, { topic: "web", env: "prod", userAgent: "ü", key: "k" });
  const named = (topic: string, headers: Headers, key = "k") =>
    [...outgoing(given, { topic, key, headers }).headers].map(([name, value]) => `${name}=${value}`);
  assert.deepEqual(named("web", "all"), ["id=n-1-7", "timestamp=1007", "env=prod", "user_agent=ü"]);
  assert.deepEqual(named("prod.web", "all"), ["id=n-1-7", "timestamp=1007", "topic=web", "env=prod", "user_agent=ü"]);
  assert.deepEqual(named("web", "all", "prod"), ["id=n-1-7", "timestamp=1007", "env=prod", "user_agent=ü", "key=k"]);
  assert.deepEqual(named("web", "id"), ["id=n-1-7"]);
  assert.deepEqual(named("web", "none"), []);
});

Deno.test("key, time and body are kept; no key is not an empty key", () => {
  const sent = (key?: string) =>
    outgoing(delivery(3, { body: [0, 255] }), { ...{ topic: "t", headers: "all" as const }, key });
  const { key, value, timestamp } = sent("ä");
  assert.deepEqual([[...key!], [...value], timestamp], [[0xc3, 0xa4], [0, 255], 1003n]);
  assert.equal(sent().key, undefined);
  assert.equal(sent("").key!.length, 0);
});

Deno.test("the key is the message's own, or what the template makes; of nothing comes no key", () => {
  const { message } = delivery(0, { topic: "web", env: "prod", key: "k" });
  const { message: bare } = delivery(0, { topic: "web" });
  const keys = (template: string) => [message, bare].map(keyTemplate("key", template));
  assert.deepEqual(keys("%key%"), ["k", undefined]);
  assert.deepEqual(keys("%env%"), ["prod", undefined]);
  assert.deepEqual(keys("%topic%/%key%"), ["web/k", "web/"]);
  assert.throws(() => keyTemplate("key", "%user%"), /"%user%" is none of %key%, %topic%, %env%, %type%, %level%/);
});
